import { describe, expect, test } from "vitest";
import { parseAllowList } from "../../../src/download/allow-list.js";
import { allowedUrl, isUrl, shownUrl } from "../../../src/download/url.js";

const list = parseAllowList(["https://models.example.com/prod/", "file:///srv/models/"]);
const open = parseAllowList([".*"]);
const sha256 = "a".repeat(64);

describe("allowedUrl", () => {
  test("canonical, with its pin, shown without what may be secret", () => {
    const found = allowedUrl(`https://MODELS.example.com:443/prod/a.mar?signature=s3cret#sha256=${sha256}`, list);
    expect(found.url.href).toBe("https://models.example.com/prod/a.mar?signature=s3cret");
    expect(found).toMatchObject({ shown: "https://models.example.com/prod/a.mar", sha256 });
    expect(allowedUrl("https://models.example.com./prod/a.mar", list).url.host).toBe("models.example.com");
  });

  test.each<[string, string, RegExp]>([
    ["another host", "https://evil.net/a.mar", /^Given URL https:\/\/evil\.net\/a\.mar does not match any allowed URL/],
    ["dots", "https://models.example.com/prod/../x/a.mar", /^Relative path is not allowed in url/],
    ["dots at the end", "file:///srv/models/..", /Relative path/],
    ["encoded dots", "https://models.example.com/prod/%2e%2E/x/a.mar", /Relative path/],
    ["half encoded dots", "https://models.example.com/prod/.%2e/x/a.mar", /Relative path/],
    ["dots behind a backslash", "https://models.example.com/prod\\..\\x/a.mar", /Relative path/],
    ["an encoded slash", "https://models.example.com/prod/..%2fx/a.mar", /encoded slash/],
    ["an encoded NUL", "https://models.example.com/prod/a%00.mar", /encoded slash/],
    ["a password", "https://u:p@models.example.com/prod/a.mar", /name or password/],
    ["a host in a file URL", "file://server/srv/models/a.mar", /names no host/],
    ["another scheme", "ftp://models.example.com/a.mar", /only http, https and file/],
    ["S3", "s3://bucket/a.mar", /only http, https and file/],
    ["no URL", "https://[", /no URL/],
    ["a pin that is none", "https://models.example.com/prod/a.mar#sha256=12", /64 hex digits/],
    ["a long one", `https://models.example.com/prod/${"a".repeat(5000)}`, /over 4096 bytes/],
  ])("%s is refused", (_, word, words) => {
    expect(() => allowedUrl(word, list)).toThrow(words);
  });

  test.each([
    "https://u:hunter2@models.example.com/prod/a.mar",
    "https://u:hunter2@models.example.com/../a.mar?sig=hunter2",
    "https://u:hun/ter2@models.example.com/a.mar#hunter2",
    "https://u:hun?ter2@models.example.com/a.mar",
    "s3://key:hunter2@bucket/a.mar",
  ])("a refusal of %s does not say the password", (word) => {
    expect(() => allowedUrl(word, list)).toThrow(/^(?!.*hun)(Given URL|Relative path)/);
  });

  test("an open list opens neither schemes nor dots", () => {
    expect(() => allowedUrl("ftp://x/a.mar", open)).toThrow(/only http/);
    expect(() => allowedUrl("file:///srv/../etc/passwd", open)).toThrow(/Relative path/);
    expect(allowedUrl("file:///srv/a.mar", open).shown).toBe("file:///srv/a.mar");
  });
});

test("what is a URL, and what of it is shown", () => {
  expect(["http://x", "FILE:///x", "s3://b", "a.mar", "name=a.mar", "C:\\x", "a/b://c"].map(isUrl)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(shownUrl("https://u:p@h/a.mar?sig=1#x")).toBe("https://h/a.mar");
  expect(shownUrl("store/a?b.mar")).toBe("store/a?b.mar");
});
