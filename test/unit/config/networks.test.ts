import { BlockList } from "node:net";
import { expect, test } from "vitest";
import { addNetwork, areNetworks, parseNetworks } from "../../../src/config/networks.js";

test("addresses and networks of both families", () => {
  const list = parseNetworks(["10.0.0.7", "10.2.0.0/16", "fd12::/48"]);
  const four = ["10.0.0.7", "10.0.0.8", "10.2.255.1", "10.3.0.0"].map((each) => list.check(each));
  expect(four).toEqual([true, false, true, false]);
  expect([list.check("fd12::1", "ipv6"), list.check("fd13::1", "ipv6")]).toEqual([true, false]);
});

test.each(["proxy.example", "10.0.0.0/33", "10.0.0.0/x", "1.2.3.4/8/8", "/8", ""])("%s is none", (entry) => {
  expect(areNetworks(["10.0.0.7", entry])).toBe(false);
  expect(areNetworks(["10.0.0.7"])).toBe(true);
});

test("what begins as a network and is wrong says why", () => {
  expect(() => addNetwork(new BlockList(), "10.0.0.0/x")).toThrow("no number of bits");
  expect(addNetwork(new BlockList(), "model.mar")).toBe(false);
});
