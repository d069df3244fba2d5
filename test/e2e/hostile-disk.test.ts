/**
 * Cases 49 and 50: a disk that fills up, a store and a home that cannot be written. Needs the right to mount a small tmpfs,
 * without which the machine has no disk that a test may fill.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-disk-"));
const small = join(root, "small");
const store = join(root, "store");
const mounted: string[] = [];

function mount(folder: string, size: string): boolean {
  mkdirSync(folder);
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { stdio: "ignore" });
  if (status === 0) mounted.push(folder);
  return status === 0;
}
const mountable = mount(small, "256k") && mount(store, "1m");
/** Serves more than the small disk has left. */
const http = createServer((_, response) => response.end(Buffer.alloc(200_000, 1)));
let base = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(() => {
  http.closeAllConnections();
  http.close();
  for (const folder of mounted) execFileSync("umount", [folder]);
  rmSync(root, { recursive: true, force: true });
});

/** ledger.tar.gz, whose folder has to be unpacked somewhere. */
function pack(): void {
  const folder = join(root, "ledger");
  mkdirSync(folder);
  cpSync(`${models}ledger.pt`, join(folder, "ledger.pt"));
  cpSync(`${models}ledger.yaml`, join(folder, "model-config.yaml"));
  execFileSync("tar", ["czf", join(store, "ledger.tar.gz"), "-C", root, "ledger"]);
}

/** Leaves less than a model's file needs. */
function fill(): void {
  const { bavail, bsize } = statfsSync(small);
  writeFileSync(join(small, "ballast"), Buffer.alloc(bavail * bsize - 8192));
}

test.runIf(mountable)(
  "a full disk is 507 and leaves nothing; a read-only store serves",
  { timeout: 60_000 },
  async () => {
    pack();
    execFileSync("mount", ["-o", "remount,ro", store]);
    const words = [`first=${models}ledger.pt`, "--model-store", store, "--enable-model-api"];
    words.push("--allowed-urls", `${base}/`, "127.0.0.1");
    const snapshots = ["--config-snapshots", "--snapshot-folder", join(small, "config")];
    // Neither the home nor the store can be written: what is unpacked goes to TMPDIR.
    const env = { HOME: "/dev/null", XDG_CACHE_HOME: "", SCONCE_CACHE_DIR: "", TMPDIR: small };
    const server = await Server.start([...words, ...snapshots], { env });
    const manage = (method: string, path: string) => call(server.managementPort, { method, path });
    const register = () => manage("POST", "/models?url=ledger.tar.gz&initial_workers=1");
    const right = async (path: string): Promise<void> => {
      const answer = await call(server.port, { path, body: JSON.stringify(ledgerInput(3)) });
      expect([answer.status, ledgerFault(3, answer.body)]).toEqual([200, undefined]);
    };
    fill();
    const full = await register();
    expect([full.status, full.body.toString()]).toEqual([
      507,
      expect.stringMatching(/ledger\.tar\.gz: the disk is full/),
    ]);
    await right("/predictions/first");
    const cache = join(small, `sconce-${process.getuid?.() ?? 0}`);
    expect(readdirSync(join(cache, "incoming"))).toEqual([]);
    expect(readdirSync(join(cache, "models"))).toEqual([]);
    // What is downloaded there neither fits, nor stays.
    const download = await manage("POST", `/models?url=${encodeURIComponent(`${base}/big.mar`)}`);
    expect([download.status, download.body.toString()]).toEqual([507, expect.stringContaining("big.mar")]);
    expect(readdirSync(join(cache, "downloads"))).toEqual([]);
    await right("/predictions/first");
    // A change is made even where it cannot be written down.
    writeFileSync(join(small, "rest"), Buffer.alloc(statfsSync(small).bavail * statfsSync(small).bsize));
    expect((await manage("PUT", "/models/first?min_worker=2&synchronous=true")).status).toBe(200);
    const unwritten = "a snapshot was not written (--snapshot-folder)";
    await eventually(10_000, unwritten, () => (server.process.stderr.includes(unwritten) ? true : undefined));
    rmSync(join(small, "ballast"));
    rmSync(join(small, "rest"));
    expect((await register()).status).toBe(200);
    await right("/predictions/ledger");
    expect((await server.stop()).code).toBe(0);
    const left = readdirSync(join(small, "config"));
    expect(left.filter((name) => !name.endsWith(".cfg"))).toEqual([]);
    expect(existsSync(join(store, "ledger.tar.gz"))).toBe(true);
  },
);
