import { describe, expect, test } from "vitest";
import { mayBeUrlEncoded, readForm, readMultipart, readUrlEncoded } from "../../../src/inference/form.js";
import { bytes, end, file, part, text, type } from "./multipart-body.js";

describe("multipart", () => {
  test.each([
    ["a field", part('name="data"', "[1,2]"), "[1,2]", "sniff"],
    ["curl -F data=@f.bin", file("data", "f.bin", "application/octet-stream", "\x00\xff\r\n-"), "\x00\xff\r\n-", "raw"],
    ["a .json file", file("data", "f.json", "application/octet-stream", "[1]"), "[1]", "json"],
    ["a typed part", file("data", "f", "application/json", "[1]"), "[1]", "json"],
    ["an .npy file", file("body", "f.npy", "application/octet-stream", "\x93NUMPY"), "\x93NUMPY", "npy"],
    ["a picture", file("data", "f.png", "image/png", "\x89PNG"), "\x89PNG", "unsupported"],
    ["one part of any name", part('name="image"', "1"), "1", "sniff"],
    ["data before body", part('name="body"', "b") + part('name="data"', "d"), "d", "sniff"],
    ["the last of equal names", part('name="data"', "1") + part('name="data"', "2"), "2", "sniff"],
  ])("%s", async (_, body, expected, how) => {
    const input = await readMultipart(type, bytes(body + end));
    expect([text(input.bytes), input.how]).toEqual([expected, how]);
  });

  test.each([
    ["no parts", end, /field "data" or "body"; it has nothing/],
    ["other names", part('name="a"', "1") + part('name="b"', "2") + end, /it has "a","b"/],
    ["no end", part('name="data"', "1"), /cannot be read/],
    ["a header without end", '--x\r\nContent-Disposition: form-data; name="data"\r\n--x--\r\n', /header of a part/],
    ["one before another part", `--x\r\nA: b\r\n${part('name="data"', "1")}${end}`, /header of a part/],
    ["one after another part", `${part('name="data"', "1")}--x\r\nA: b\r\n${end}`, /header of a part/],
    ["10,000 parts", part('name="a"', "1").repeat(10_000) + end, /more than 100 parts/],
  ])("%s is refused", async (_, body, message) => {
    await expect(readMultipart(type, bytes(body))).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(message) as string,
    });
  });
});

test("URL-encoded fields", () => {
  expect(text(readUrlEncoded(bytes("data=%5B1%2C2%5D&x=1")).bytes)).toBe("[1,2]");
  expect(text(readUrlEncoded(bytes("body=[1]")).bytes)).toBe("[1]");
  expect(text(readUrlEncoded(bytes("data=1&data=2")).bytes)).toBe("2");
  expect(() => readUrlEncoded(bytes("d=1"))).toThrow(/it has "d"/);
  expect(text(readUrlEncoded(bytes(`${"d=1&".repeat(99)}data=2`)).bytes)).toBe("2");
  const form = "application/x-www-form-urlencoded";
  expect([mayBeUrlEncoded(form, 0x64), mayBeUrlEncoded(form, 0x5b), mayBeUrlEncoded("text/plain", 0x64)]).toEqual([
    true,
    false,
    false,
  ]);
});

test("URL-encoded fields past the hundredth are refused before any is made", async () => {
  const form = "application/x-www-form-urlencoded";
  const many = bytes("d=1&".repeat(100) + "data=2");
  expect(() => readUrlEncoded(many)).toThrow(/more than 100 fields/);
  await expect(readForm(form, many)).rejects.toThrow(/more than 100 fields/);
  const body = bytes("d=1&".repeat(4_000_000));
  const before = process.memoryUsage.rss();
  expect(() => readUrlEncoded(body)).toThrow(/more than 100 fields/);
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(100);
});
