import { describe, expect, test } from "vitest";
import { allows, parseAllowList, resolveHost, type AllowList } from "../../../src/download/allow-list.js";

describe("allows", () => {
  test.each<[string, string, boolean]>([
    ["https://models.example.com/prod/", "https://models.example.com/prod/a.mar", true],
    ["https://models.example.com/prod", "https://models.example.com/prod/a.mar", true],
    ["https://models.example.com/prod", "https://models.example.com/production/a.mar", false],
    ["https://models.example.com/prod/", "https://models.example.com/prod/../x/a.mar", false],
    ["https://models.example.com/", "http://models.example.com/a.mar", false],
    ["https://models.example.com/", "https://models.example.com:8443/a.mar", false],
    ["https://models.example.com:443/", "https://models.example.com/a.mar", true],
    ["https://models.example.com/", "https://models.example.com.evil.net/a.mar", false],
    ["https://models.example.com/", "https://modelsxexample.com/a.mar", false],
    ["https://MODELS.example.com/", "https://models.EXAMPLE.com/a.mar", true],
    ["file:///srv/models", "file:///srv/models/a.mar", true],
    ["file:///srv/models", "file:///srv/models-private/a.mar", false],
    ["http://[::1]:9000/", "http://[::1]:9000/a.mar", true],
    ["https?://models\\.example\\.com/.*", "HTTP://models.example.com/a.mar", true],
    ["https?://models\\.example\\.com/.*", "http://evil.net/?http://models.example.com/a.mar", false],
    ["file://.*|http(s)?://.*", "https://anything.net/a.mar", true],
    ["10.0.0.0/8", "http://10.0.0.1/a.mar", false],
  ])("%s: %s %s", (entry, url, expected) => {
    expect(allows(parseAllowList([entry]), new URL(url))).toBe(expected);
  });

  test("nothing is allowed when nothing is listed", () => {
    expect(allows(parseAllowList([]), new URL("https://models.example.com/a.mar"))).toBe(false);
    expect(allows(parseAllowList([" "]), new URL("file:///a.mar"))).toBe(false);
  });

  test.each(["models.example.com", "ftp://x/", "https://[/", "(", "10.0.0.0/64", "10.0.0.0/x", "https://u@h/"])(
    "%s is no entry",
    (entry) => {
      expect(() => parseAllowList([entry])).toThrow(/--allowed-urls: /);
    },
  );
});

describe("resolveHost", () => {
  const open = parseAllowList(["http(s)?://.*"]);
  const at =
    (...addresses: string[]) =>
    () =>
      Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
  const go = (list: AllowList, url: string, ...addresses: string[]) =>
    resolveHost(list, new URL(url), url, at(...addresses));

  test.each([
    ["loopback", "127.0.0.1"],
    ["any", "0.0.0.0"],
    ["ten", "10.1.2.3"],
    ["172.16", "172.31.255.255"],
    ["192.168", "192.168.0.1"],
    ["the clouds' metadata", "169.254.169.254"],
    ["a carrier's network", "100.100.100.200"],
    ["Azure's metadata", "168.63.129.16"],
    ["IPv6 loopback", "::1"],
    ["IPv6 unique local", "fd00:ec2::254"],
    ["IPv6 link-local", "fe80::1"],
    ["IPv4 in IPv6", "::ffff:10.0.0.1"],
    ["IPv4 behind NAT64", "64:ff9b::a00:1"],
  ])("%s is refused, though a pattern matches", async (_, address) => {
    await expect(go(open, "https://inner.example.com/a.mar", address)).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringMatching(/private address/) as string,
    });
  });

  test("a name with one good and one bad address is refused", async () => {
    await expect(go(open, "https://x.example.com/", "93.184.216.34", "10.0.0.1")).rejects.toThrow(/10\.0\.0\.1/);
  });

  test.each([
    "http://127.0.0.1/a.mar",
    "http://2130706433/a.mar",
    "http://0x7f.1/a.mar",
    "http://[::ffff:127.0.0.1]/a.mar",
    "http://169.254.169.254/latest/meta-data/",
  ])("%s written as an address is refused", async (url) => {
    await expect(go(open, url)).rejects.toThrow(/private address/);
  });

  test("public addresses pass, and private ones that are listed", async () => {
    expect(await go(open, "https://x.example.com/", "93.184.216.34")).toEqual({ address: "93.184.216.34", family: 4 });
    const listed = parseAllowList(["https://x.example.com/", "10.2.0.0/16", "fd12::/48"]);
    expect(await go(listed, "https://x.example.com/a", "10.2.3.4")).toMatchObject({ address: "10.2.3.4" });
    expect(await go(listed, "https://x.example.com/a", "fd12::1")).toMatchObject({ family: 6 });
    await expect(go(listed, "https://x.example.com/a", "10.3.0.1")).rejects.toThrow(/10\.3\.0\.1/);
    const literal = parseAllowList(["http://127.0.0.1:9000/"]);
    expect(await go(literal, "http://127.0.0.1:9000/a.mar")).toMatchObject({ address: "127.0.0.1" });
  });
});
