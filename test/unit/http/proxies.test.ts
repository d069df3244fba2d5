import { describe, expect, test } from "vitest";
import { below, TrustedProxies } from "../../../src/http/proxies.js";

const trustedProxies = ["10.0.0.0/8", "::1"];
const lists = new TrustedProxies({ trustedProxies, proxyHeader: "x-forwarded-for" });
const elements = new TrustedProxies({ trustedProxies, proxyHeader: "forwarded" });

describe("the client of a request", () => {
  test.each([
    ["the peer, where it is no proxy", "192.0.2.1", "203.0.113.7", "192.0.2.1"],
    ["the peer, where nothing is said", "10.0.0.1", "", "10.0.0.1"],
    ["who the proxy says", "10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["behind several proxies", "10.0.0.1", "203.0.113.7, 10.0.0.3,10.0.0.2", "203.0.113.7"],
    ["not what that client says", "10.0.0.1", "198.51.100.9, 203.0.113.7", "203.0.113.7"],
    ["with its port", "10.0.0.1", "203.0.113.7:4711", "203.0.113.7"],
    ["of IPv6", "0000:0000:0000:0000:0000:0000:0000:0001", "[2001:db8::1]:80", "2001:db8::1"],
    ["a peer of IPv4 seen as IPv6", "::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["the last that is an address", "10.0.0.1", "203.0.113.7, unknown, 10.0.0.2", "10.0.0.2"],
    ["a proxy, where all are", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["no text that could break a line", "10.0.0.1", "a\nb", "10.0.0.1"],
    ["no zone", "10.0.0.1", "fe80::1%eth0", "10.0.0.1"],
  ])("%s", (_, peer, chain, client) => {
    expect(lists.clientOf(peer, chain)).toBe(client);
  });

  test.each([
    ["for=203.0.113.7", "203.0.113.7"],
    ['For="[2001:db8:cafe::17]:4711";proto=https', "2001:db8:cafe::17"],
    ["for=198.51.100.9, by=203.0.113.43;for=203.0.113.7;host=h", "203.0.113.7"],
    ['for=198.51.100.9, for=203.0.113.7;host="a,for=1.2.3.4;b"', "203.0.113.7"],
    ['for=203.0.113.7, for="10.0.0.9:80"', "203.0.113.7"],
    ["for=_hidden", "10.0.0.1"],
    ["by=203.0.113.7", "10.0.0.1"],
    ['for="', "10.0.0.1"],
  ])("Forwarded: %s", (chain, client) => {
    expect(elements.clientOf("10.0.0.1", chain)).toBe(client);
  });

  test("a way of any length ends", () => {
    expect(lists.clientOf("10.0.0.1", `203.0.113.7${", 10.0.0.2".repeat(5000)}`)).toBe("10.0.0.2");
  });

  test("without proxies no header is looked at", () => {
    const none = new TrustedProxies({ trustedProxies: [], proxyHeader: "forwarded" });
    expect([none.header, none.includes("10.0.0.1"), lists.header]).toEqual(["", false, "x-forwarded-for"]);
    expect(none.clientOf("10.0.0.1", "for=1.2.3.4")).toBe("10.0.0.1");
  });
});

test.each([
  ["/models/ping", "/ping"],
  ["/models", "/"],
  ["/models/", "/"],
  ["/modelsping", undefined],
  ["/ping", undefined],
  ["/", undefined],
])("%s below /models: %s", (path, inside) => {
  expect(below(path, "/models")).toBe(inside);
});
