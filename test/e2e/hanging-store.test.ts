/**
 * Case 50: a model store that hangs, as a network mount whose server is gone. A library in front of libc lets the calls
 * that name the store wait for as long as a file lies there; nothing else on this machine can be made to hang without
 * the right to mount.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, drive, requestBytes } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server, ServerProcess } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-hang-"));
const store = join(root, "store");
const flag = join(root, "hangs");
const library = join(root, "hang.so");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const source = `
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void hang(const char* path) {
  const char* under = getenv("HANG_UNDER");
  const char* flag = getenv("HANG_WHILE");
  if (!path || !under || !flag || strncmp(path, under, strlen(under)) != 0) return;
  while (access(flag, F_OK) == 0) usleep(10000);
}
#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
char* realpath(const char* path, char* into) { hang(path); NEXT(realpath); return next(path, into); }
DIR* opendir(const char* path) { hang(path); NEXT(opendir); return next(path); }
int scandir64(const char* path, struct dirent64*** list, int (*filter)(const struct dirent64*),
              int (*compare)(const struct dirent64**, const struct dirent64**)) {
  hang(path); NEXT(scandir64); return next(path, list, filter, compare);
}
int open64(const char* path, int flags, ...) {
  va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, int); va_end(rest);
  hang(path); NEXT(open64); return next(path, flags, mode);
}
`;

beforeAll(() => {
  writeFileSync(join(root, "hang.c"), source);
  execFileSync("cc", ["-shared", "-fPIC", "-w", "-o", library, join(root, "hang.c"), "-ldl"]);
  mkdirSync(store);
  for (const name of ["ledger.pt", "ledger.yaml"]) cpSync(`${models}${name}`, join(store, name));
});

test(
  "what serves goes on, registrations are refused in time, and all is well once it answers",
  { timeout: 90_000 },
  async () => {
    const words = ["--model-store", store, "--models", "all", "--poll-model-store", "100ms", "--enable-model-api"];
    const env = { LD_PRELOAD: library, HANG_UNDER: store, HANG_WHILE: flag };
    const server = await Server.start([...words, "--store-timeout", "500ms", "--http-threads", "2"], { env });
    const manage = (method: string, path: string) => call(server.managementPort, { method, path });
    writeFileSync(flag, "");
    const said = () => (server.process.output.includes("the model store is not followed") ? true : undefined);
    await eventually(20_000, "that the store is not followed", () => Promise.resolve(said()));

    const register = (name: string) => manage("POST", `/models?url=ledger.pt&model_name=${name}`);
    const refused = Promise.all(Array.from({ length: 40 }, (_, index) => register(`m${index}`)));
    const tally = await drive({
      port: server.port,
      connections: 4,
      count: 2000,
      request: (index) => requestBytes({ path: "/predictions/ledger", body: JSON.stringify(ledgerInput(index)) }),
      check: (index, answer) => (answer.status === 200 ? ledgerFault(index, answer.body) : `${answer.status}`),
    });
    expect(tally.wrong.slice(0, 5)).toEqual([]);
    expect(tally).toMatchObject({ right: 2000, unanswered: [], refused: 0 });
    for (const { status, body } of await refused) {
      expect(status).toBe(503);
      expect(body.toString()).toMatch(/the model store \(--store-timeout\) did not answer within 0\.5 s/);
    }
    // What needs the disk elsewhere still has it: one thread of the pool is lost, however many asked.
    expect((await manage("GET", "/models/ledger")).status).toBe(200);
    const elsewhere = await call(server.metricsPort, { path: "/metrics" });
    expect(elsewhere.status).toBe(200);

    rmSync(flag);
    await eventually(20_000, "the store to be followed again", () =>
      Promise.resolve(server.process.output.includes("the model store can be read again") ? true : undefined),
    );
    expect((await register("after")).status).toBe(200);
    writeFileSync(flag, "");
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  },
);

test("a start from it is refused with its name", { timeout: 60_000 }, async () => {
  writeFileSync(flag, "");
  const env = { LD_PRELOAD: library, HANG_UNDER: store, HANG_WHILE: flag };
  const started = new ServerProcess(["--model-store", store, "--models", "all", "--store-timeout", "300ms"], { env });
  expect(await started.ended(30_000)).toEqual({ code: 3, signal: null });
  expect(started.stderr).toContain(`${store}: the model store (--store-timeout) did not answer within 0.3 s`);
});

test("servers that send nothing hold up no registration but their own", { timeout: 60_000 }, async () => {
  rmSync(flag, { force: true });
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const words = ["--model-store", store, "--allowed-urls", `${base}/`, "127.0.0.1", "--enable-model-api"];
  const server = await Server.start(words);
  const manage = (method: string, path: string) => call(server.managementPort, { method, path });
  try {
    const waiting = [1, 2, 3, 4].map((number) => manage("POST", `/models?url=${base}/m${number}.mar`));
    await eventually(20_000, "four loads under way", async () =>
      (await manage("GET", "/models")).body.toString().split("modelName").length > 4 ? true : undefined,
    );
    expect((await manage("POST", "/models?url=ledger.pt&initial_workers=1")).status).toBe(200);
    // What waits is cancelled by unregistering.
    for (const number of [1, 2, 3, 4]) expect((await manage("DELETE", `/models/m${number}`)).status).toBe(200);
    for (const { status } of await Promise.all(waiting)) expect(status).toBe(409);
  } finally {
    silent.closeAllConnections();
    silent.close();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  }
});
