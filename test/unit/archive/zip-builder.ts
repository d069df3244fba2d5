/** Zip archives written by hand, byte for byte, so that tests can lie in any field. */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly data?: Buffer | string;
  /** 0 stored, 8 deflated. */
  readonly method?: number;
  /** Unix mode with type bits; undefined: not made on Unix. */
  readonly mode?: number;
  readonly flags?: number;
  /** Fields that lie. */
  readonly crc?: number;
  readonly size?: number;
  readonly packedSize?: number;
  readonly localName?: string;
  readonly localSize?: number;
  /** The place of another entry's header instead of an own one. */
  readonly offset?: number;
}

const fields = (...parts: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer =>
  Buffer.concat(
    parts.map(([bytes, value]) => {
      const part = Buffer.alloc(bytes);
      if (bytes === 2) part.writeUInt16LE(value);
      else part.writeUInt32LE(value >>> 0);
      return part;
    }),
  );

export function buildZip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? "");
    const method = entry.method ?? 0;
    const packed = method === 8 ? deflateRawSync(data) : data;
    const crc = entry.crc ?? crc32(data);
    const size = entry.size ?? data.length;
    const packedSize = entry.packedSize ?? packed.length;
    const name = Buffer.from(entry.name);
    const localName = Buffer.from(entry.localName ?? entry.name);
    const flags = (entry.flags ?? 0) | 0x800;
    const head = [
      [2, 20],
      [2, flags],
      [2, method],
      [2, 0],
      [2, 0x21],
      [4, crc],
      [4, packedSize],
    ] as const;
    const local = Buffer.concat([
      fields([4, 0x04034b50], ...head, [4, entry.localSize ?? size], [2, localName.length], [2, 0]),
      localName,
      packed,
    ]);
    const madeBy = entry.mode === undefined ? 0 : 3 << 8;
    central.push(
      fields([4, 0x02014b50], [2, madeBy | 20], ...head, [4, size], [2, name.length], [2, 0], [2, 0], [2, 0], [2, 0]),
      fields([4, (entry.mode ?? 0) * 65_536], [4, entry.offset ?? at]),
      name,
    );
    if (entry.offset !== undefined) continue;
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(central);
  const count = entries.length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, directory.length], [4, at], [2, 0]);
  return Buffer.concat([...locals, directory, end]);
}

/** What PyTorch's TorchScript writer makes, as far as it can be told without PyTorch. */
export function torchScript(stem = "m"): ZipEntry[] {
  return [
    { name: `${stem}/data.pkl`, data: "\x80\x02}" },
    { name: `${stem}/code/__torch__.py`, data: "class M: pass\n".repeat(20), method: 8 },
    { name: `${stem}/constants.pkl`, data: "\x80\x02)." },
    { name: `${stem}/version`, data: "3\n" },
  ];
}
