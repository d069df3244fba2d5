import { expect, test } from "vitest";
import { parseMultipart } from "../../../src/inference/multipart.js";
import { bytes, end, file, part, text, type } from "./multipart-body.js";

test("a part has a type only where it says one", async () => {
  const untyped = part('name="a"; filename="a.txt"\r\nX-Note: 1', "Content-Type: image/png\r\n\r\n--x");
  const nameless = "--x\r\nContent-Type: image/png\r\n\r\nx\r\n";
  const body = `preamble\r\n${untyped}${nameless}${file("b", "b.txt", "text/plain", "")}${part('name="c"', "")}${end}`;
  const parts = await parseMultipart(type, bytes(body));
  expect(parts.map(({ name, fileName, contentType }) => [name, fileName, contentType])).toEqual([
    ["a", "a.txt", ""],
    ["b", "b.txt", "text/plain"],
    ["c", "", ""],
  ]);
});

test("large parts, which the parser hands over piece by piece", async () => {
  const large = "z".repeat(3_000_000);
  const parts = await parseMultipart(type, bytes(part('name="a"', large).repeat(3) + end));
  expect(parts.map((each) => each.bytes.length)).toEqual([3_000_000, 3_000_000, 3_000_000]);
});

test("a million parts of nothing take no memory past the hundredth", async () => {
  const body = bytes("--x\r\n".repeat(1_000_000));
  const before = process.memoryUsage.rss();
  await expect(parseMultipart(type, body)).rejects.toThrow(/more than 100 parts/);
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(200);
});

test("a part of many pieces is whole", async () => {
  const value = Array.from({ length: 30_000 }, (_, i) => `\r\n--y${i}`).join("");
  const [only, ...others] = await parseMultipart(type, bytes(part('name="data"', value) + end));
  expect([others, only && text(only.bytes) === value]).toEqual([[], true]);
});

test("a header without end is told in a body of any size", async () => {
  for (const size of [0, 20_000, 200_000]) {
    const filler = "z".repeat(size);
    const broken = `--x\r\nA: ${filler}\r\n`;
    const whole = part('name="a"', filler);
    for (const body of [broken + whole, whole + broken, broken + broken, whole + broken + whole]) {
      await expect(parseMultipart(type, bytes(body + end))).rejects.toMatchObject({ code: "bad_request" });
    }
  }
});

test("a boundary that is too long", async () => {
  const long = `multipart/form-data; boundary=${"b".repeat(71)}`;
  await expect(parseMultipart(long, bytes(end))).rejects.toThrow(/boundary has 71 characters; at most 70/);
});

test("without a boundary", async () => {
  await expect(parseMultipart("multipart/form-data", bytes(end))).rejects.toMatchObject({ code: "bad_request" });
});
