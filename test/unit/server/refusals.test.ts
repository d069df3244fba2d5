import { expect, test } from "vitest";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { createRpcMemory, RpcCounters } from "../../../src/metrics/rpc-counters.js";
import { RefusalLog, refusalsOf } from "../../../src/server/refusals.js";

test("the refusals of all ports are one number per reason", () => {
  const ports = [1, 2].map(() => new HttpState(createHttpState(1), 0));
  const rpc = new RpcCounters(createRpcMemory());
  for (const port of ports) port.count("refused_total");
  ports[1]?.count("refused_descriptors");
  rpc.countRefused("descriptors");
  rpc.countRefused("address");
  expect(refusalsOf(ports, rpc)).toEqual({ total: 2, address: 1, descriptors: 2 });
});

test("a line per reason says how many there were since the last one, which is a while ago", () => {
  const counts = { total: 0, address: 0, descriptors: 0 };
  const lines: unknown[] = [];
  let now = 0;
  const warn = (words: string, fields?: object): void => void lines.push([words.split(":")[0], words, fields]);
  const log = new RefusalLog(
    () => ({ ...counts }),
    { warn },
    () => now,
  );
  log.tick();
  expect(lines).toEqual([]);
  counts.descriptors = 3;
  log.tick();
  counts.descriptors = 10;
  counts.total = 1;
  now = 9999;
  log.tick();
  expect(lines).toEqual([["connections were refused", expect.stringContaining("ulimit -n"), { refused: 3 }]]);
  now = 10_000;
  log.tick();
  log.tick();
  expect(lines.slice(1)).toEqual([
    ["connections were refused", expect.stringContaining("--max-connections"), { refused: 1 }],
    ["connections were refused", expect.stringContaining("ulimit -n"), { refused: 7 }],
  ]);
});
