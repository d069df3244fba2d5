/** `sconce models` against a real server: what each command does is seen by the next one. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { entry, models, nodeBinary, Server } from "./server.js";

const store = mkdtempSync(join(tmpdir(), "sconce-models-"));
afterAll(() => rmSync(store, { recursive: true, force: true }));
for (const file of ["ledger.pt", "ledger.yaml"]) copyFileSync(`${models}${file}`, join(store, file));

test("register, list, scale, unregister, and the code for what is not there", { timeout: 60_000 }, async () => {
  const server = await Server.start(["--model-store", store, "--enable-model-api"]);
  const sconce = (...words: string[]): Promise<{ code: number; out: string }> =>
    new Promise((resolve) => {
      const argv = [entry, "models", ...words, "--url", `http://127.0.0.1:${server.managementPort}`];
      execFile(nodeBinary, argv, (error, out) => resolve({ code: Number(error?.code ?? 0), out }));
    });
  expect(await sconce("register", "ledger.pt", "--workers", "1")).toMatchObject({ code: 0 });
  expect((await sconce("list")).out).toMatch(/^ledger +1\.0 +yes +ready +1\/1 /m);
  expect(await sconce("scale", "ledger", "2")).toMatchObject({ code: 0 });
  expect((await sconce("list")).out).toMatch(/^ledger +1\.0 +yes +ready +2\/2 /m);
  expect((await sconce("default", "ledger/9")).code).toBe(5);
  expect(await sconce("unregister", "ledger")).toEqual({ code: 0, out: 'Model "ledger" unregistered\n' });
  expect((await sconce("describe", "ledger")).code).toBe(5);
  expect((await server.stop()).code).toBe(0);
});
