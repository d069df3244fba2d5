import { expect, test } from "vitest";
import { createRpcMemory, refusalReasons, RpcCounters, rpcStatusNames } from "../../../src/metrics/rpc-counters.js";

test("what one view writes another reads, each status apart", () => {
  const memory = createRpcMemory();
  const thread = new RpcCounters(memory);
  const main = new RpcCounters(memory);
  thread.countEnd("OK");
  thread.countEnd("UNAUTHENTICATED");
  thread.countEnd("UNAUTHENTICATED");
  thread.addOpen(1);
  thread.addConnections(3);
  thread.addConnections(-1);
  thread.countRefused("address");
  const counted = rpcStatusNames.filter((name) => main.ended(name) > 0);
  expect(counted).toEqual(["OK", "UNAUTHENTICATED"]);
  expect(main.ended("UNAUTHENTICATED")).toBe(2);
  expect([main.open, main.connections]).toEqual([1, 2]);
  expect(refusalReasons.map((reason) => main.refused(reason))).toEqual([0, 1, 0]);
});
