import { readFileSync } from "node:fs";
import net from "node:net";
import { expect, test } from "vitest";
import { addressKey, countByAddress } from "../../../src/http/connections.js";

test("an IPv4 address mapped into IPv6 is the same address", () => {
  const mapped = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]);
  expect(addressKey(mapped)).toBe("7f000001");
  expect(addressKey(Uint8Array.from([127, 0, 0, 1]))).toBe("7f000001");
});

test("counts established connections to the port, by remote address", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
  const four =
    head +
    "   0: 0100007F:1F90 0100007F:C001 01 0:0\n" +
    "   1: 0100007F:1F90 0200007F:C002 01 0:0\n" +
    "   2: 0100007F:1F90 0100007F:C003 06 0:0\n" +
    "   3: 0100007F:1F91 0100007F:C004 01 0:0\n";
  const six = head + "   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C005 01 0:0\n";
  expect(countByAddress(8080, [four, six])).toEqual(
    new Map([
      ["7f000001", 2],
      ["7f000002", 1],
    ]),
  );
});

test("reads this kernel's table", async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as net.AddressInfo).port;
  const client = net.connect(port, "127.0.0.1");
  await new Promise((resolve) => server.once("connection", resolve));
  expect(countByAddress(port, [readFileSync("/proc/self/net/tcp", "latin1")]).get("7f000001")).toBe(1);
  client.destroy();
  server.close();
});
