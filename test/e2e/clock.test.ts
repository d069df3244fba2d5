/**
 * Case 51: the wall clock jumps by an hour, there and back, under load. A library in front of libc lies about it; what
 * waits goes by the steady clock and notices nothing, and only keys expire by it.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, messageAfter, request, RpcClient } from "../integration/grpc-client.js";
import { call, drive, requestBytes } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-clock-"));
const store = join(root, "store");
const offset = join(root, "offset");
const keyFile = join(root, "key_file.json");
const library = join(root, "clock.so");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const source = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
  const char* path = getenv("CLOCK_OFFSET");
  FILE* file = path ? fopen(path, "r") : NULL;
  long seconds = 0;
  if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
int clock_gettime(clockid_t id, struct timespec* time) {
  int status = syscall(SYS_clock_gettime, id, time);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) time->tv_sec += offset();
  return status;
}
int gettimeofday(struct timeval* now, void* zone) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec; now->tv_usec = time.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
`;

beforeAll(() => {
  writeFileSync(join(root, "clock.c"), source);
  execFileSync("cc", ["-shared", "-fPIC", "-w", "-o", library, join(root, "clock.c")]);
  mkdirSync(store);
  for (const name of ["ledger.pt", "ledger.yaml"]) cpSync(`${models}${name}`, join(store, name));
  jump(0);
});

/** Seen whole by whoever reads it. */
function jump(seconds: number): void {
  writeFileSync(`${offset}.new`, String(seconds));
  renameSync(`${offset}.new`, offset);
}

interface KeyFile {
  readonly inference: { readonly key: string };
  readonly management: { readonly key: string };
}

test(
  "an hour forth and back under load fails no request and no call; keys alone expire by it",
  { timeout: 90_000 },
  async () => {
    const words = ["--model-store", store, "--models", "all", "--poll-model-store", "100ms", "--enable-model-api"];
    words.push("--token-auth", "--token-expiration", "90m", "--key-file", keyFile, "--grpc-inference-port", "0");
    words.push(`slow=${models}slow.pt`, "--compat", "torchserve");
    const server = await Server.start(words, { env: { LD_PRELOAD: library, CLOCK_OFFSET: offset } });
    const keys = JSON.parse(readFileSync(keyFile, "utf8")) as KeyFile;
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
    const headers = bearer(keys.inference.key);
    const predict = (index: number) => ({
      path: "/predictions/ledger",
      headers,
      body: JSON.stringify(ledgerInput(index)),
    });
    const manage = () => call(server.managementPort, { path: "/models/ledger", headers: bearer(keys.management.key) });
    const client = new RpcClient(server.grpcPort);
    const metadata = client.newMetadata(headers);
    try {
      let over = false;
      const driving = drive({
        port: server.port,
        connections: 4,
        count: 1_000_000,
        request: (index) => (over ? undefined : requestBytes(predict(index))),
        check: (index, answer) => (answer.status === 200 ? ledgerFault(index, answer.body) : `${answer.status}`),
      });
      // Calls with deadlines of their own that last over a jump, one of which has sent its headers alone before it, and
      // a stream whose second request comes after it.
      const stream = client.stream({ deadline: Date.now() + 30_000 }, metadata);
      const ended = collect(stream);
      stream.write(request("ledger", predict(1).body));
      let jumped!: () => void;
      const jumps = new Promise<void>((resolve) => (jumped = resolve));
      const options = { metadata, deadlineMs: 30_000 };
      const running = [[], [messageAfter(jumps)]].map((interceptors) =>
        client.predict("slow", "[300]", { ...options, interceptors }),
      );
      for (const seconds of [0, 3600, -3600, 3600]) {
        jump(seconds);
        await new Promise((resolve) => setTimeout(resolve, 150));
        expect((await call(server.port, predict(2))).status).toBe(200);
        expect((await manage()).status).toBe(200);
      }
      jumped();
      stream.write(request("ledger", predict(2).body));
      stream.end();
      const { answers, code } = await ended;
      expect([code, answers.map((each) => each.status?.message ?? "")]).toEqual([0, ["", ""]]);
      for (const each of await Promise.all(running)) expect([each.code, each.details]).toEqual([0, ""]);
      // The store is still looked at every 100 ms.
      writeFileSync(join(store, "ledger.yaml"), "maxBatchDelay: 1\n");
      await eventually(20_000, "the new yaml", async () =>
        (await manage()).body.toString().includes('"maxBatchDelay": 1,') ? true : undefined,
      );
      over = true;
      const tally = await driving;
      expect(tally.wrong.slice(0, 5)).toEqual([]);
      expect(tally).toMatchObject({ right: tally.sent, unanswered: [], refused: 0 });
      jump(2 * 3600);
      expect((await call(server.port, predict(3))).body.toString()).toContain("InvalidKeyException");
      jump(0);
      expect((await call(server.port, predict(3))).status).toBe(200);
    } finally {
      client.close();
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    }
  },
);
