import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { CappedSockets } from "../../../src/grpc/sockets.js";
import { createRpcMemory, RpcCounters } from "../../../src/metrics/rpc-counters.js";

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").resume();
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once("close", resolve));

test("a connection over a cap is closed unread; one that leaves makes room", async () => {
  const accepted: Socket[] = [];
  const counters = new RpcCounters(createRpcMemory());
  let wake: () => void = () => undefined;
  const sockets = new CappedSockets(
    { maxConnections: 10, maxConnectionsPerAddress: 2 },
    (socket) => accepted.push(socket),
    {
      addConnections: (change) => {
        counters.addConnections(change);
        wake();
      },
      countRefused: (reason) => counters.countRefused(reason),
    },
  );
  const port = await sockets.listen("127.0.0.1", 0);
  const [first] = [await open(port), await open(port)];
  await closed(await open(port));
  expect([accepted.length, counters.connections, counters.refused("address")]).toEqual([2, 2, 1]);
  const left = new Promise<void>((resolve) => (wake = resolve));
  accepted[0]?.resume();
  first.end();
  accepted[0]?.end();
  await left;
  expect(counters.connections).toBe(1);
  const other = new CappedSockets({ maxConnections: 1, maxConnectionsPerAddress: 1 }, () => undefined, counters);
  await expect(other.listen("127.0.0.1", port)).rejects.toThrow(`127.0.0.1:${port} for gRPC: the port is taken`);
  sockets.close();
  sockets.destroyAll();
});
