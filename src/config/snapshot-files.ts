/** The files that snapshots lie in: their names, and which one is the newest. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** TorchServe's words for when a snapshot was written. */
export type SnapshotKind = "startup" | "snapshot" | "shutdown";

const pattern = /^\d{17}-(startup|snapshot|shutdown)\.cfg$/;

/** `20260131235959999-startup.cfg`, in local time as TorchServe has it. */
export function snapshotName(kind: SnapshotKind, now: Date): string {
  const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");
  const day = pad(now.getFullYear(), 4) + pad(now.getMonth() + 1, 2) + pad(now.getDate(), 2);
  const time = pad(now.getHours(), 2) + pad(now.getMinutes(), 2) + pad(now.getSeconds(), 2);
  return `${day}${time}${pad(now.getMilliseconds(), 3)}-${kind}.cfg`;
}

/** Paths of the snapshots in a folder, newest first by the time of their last change; none when it cannot be read. */
export function snapshotsIn(folder: string): readonly string[] {
  const found: { readonly path: string; readonly changed: number }[] = [];
  try {
    for (const name of readdirSync(folder)) {
      if (!pattern.test(name)) continue;
      const path = join(folder, name);
      const { mtimeMs, size } = statSync(path);
      if (size > 0) found.push({ path, changed: mtimeMs });
    }
  } catch {
    return [];
  }
  return found.sort((a, b) => b.changed - a.changed || (a.path < b.path ? 1 : -1)).map(({ path }) => path);
}
