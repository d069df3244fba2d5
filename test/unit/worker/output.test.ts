import { expect, test } from "vitest";
import {
  maxLineBytes,
  maxLinesPerSecond,
  maxMetricLinesPerSecond,
  reasonOf,
  tailLines,
  WorkerOutput,
} from "../../../src/worker/output.js";

function listen() {
  const heard = { lines: [] as string[], metrics: [] as string[], dropped: 0, now: 0 };
  const output = new WorkerOutput({
    line: (stream, text) => heard.lines.push(`${stream} ${text}`),
    metric: (text) => heard.metrics.push(text),
    dropped: (lines) => (heard.dropped += lines),
    now: () => heard.now,
  });
  return { heard, output, out: output.stream("stdout"), err: output.stream("stderr") };
}

test("lines come whole, wherever the chunks are cut, and each stream by itself", () => {
  const { heard, out, err } = listen();
  out(Buffer.from("one\r\ntw"));
  err(Buffer.from("other\n"));
  out(Buffer.from("o\n\nthree: no end"));
  expect(heard.lines).toEqual(["stdout one", "stderr other", "stdout two"]);
});

test("an umlaut that is cut in two survives, a long line is cut, secrets go", () => {
  const { heard, out } = listen();
  const word = Buffer.from("ä\n");
  out(word.subarray(0, 1));
  out(word.subarray(1));
  for (let i = 0; i < 3; i++) out(Buffer.alloc(maxLineBytes, "x"));
  out(Buffer.from("\npassword=hunter2\n"));
  expect(heard.lines[0]).toBe("stdout ä");
  expect(heard.lines[1]).toBe(`stdout ${"x".repeat(maxLineBytes)}… (cut at ${maxLineBytes} bytes)`);
  expect(heard.lines[2]).toBe("stdout password=(redacted)");
});

test("lines over the bound of a second are counted, and said in the next", () => {
  const { heard, output, out } = listen();
  for (let i = 0; i < maxLinesPerSecond + 7; i++) out(Buffer.from(`line ${i}\n`));
  expect([heard.lines.length, heard.dropped]).toEqual([maxLinesPerSecond, 0]);
  heard.now = 1000;
  out(Buffer.from("next\n"));
  expect([heard.lines.length, heard.dropped]).toEqual([maxLinesPerSecond + 1, 7]);
  output.flush();
  expect(heard.dropped).toBe(7);
});

test("metric lines go their own way and have their own bound; the worker's chatter is left out", () => {
  const { heard, output, out } = listen();
  out(Buffer.from("2026 INFO [METRICS]A.ms:1|#|#type:GAUGE\nBackend received inference at: 1700000000\n"));
  expect([heard.metrics, heard.lines]).toEqual([["A.ms:1|#|#type:GAUGE"], []]);
  for (let i = 0; i < maxMetricLinesPerSecond; i++) out(Buffer.from("[METRICS]m\n"));
  output.flush();
  expect([heard.metrics.length, heard.dropped]).toEqual([maxMetricLinesPerSecond, 1]);
});

test("the last lines are kept for the reason of an end", () => {
  const { output, out } = listen();
  for (let i = 0; i < tailLines + 5; i++) out(Buffer.from(`line ${i}\n`));
  expect(output.tail).toHaveLength(tailLines);
  expect(output.tail.at(-1)).toBe(`line ${tailLines + 4}`);
});

test.each([
  [
    ["Traceback (most recent call last):", '  File "a.py"', "ModuleNotFoundError: No module named 'x'", "bye"],
    "ModuleNotFoundError: No module named 'x'",
  ],
  [
    [
      "Traceback (most recent call last):",
      "ModuleNotFoundError: No module named 'pandas'",
      "",
      "During handling of the above exception, another exception occurred:",
      "Traceback (most recent call last):",
      "ModuleNotFoundError: No module named 'ts.torch_handler.handler'",
    ],
    "ModuleNotFoundError: No module named 'pandas'",
  ],
  [
    ["ImportError: cannot import name 'x' from 'json'", "ModuleNotFoundError: No module named 'ts.torch_handler.h'"],
    "ImportError: cannot import name 'x' from 'json'",
  ],
  [
    ["ModuleNotFoundError: No module named 'ts.torch_handler.h'"],
    "ModuleNotFoundError: No module named 'ts.torch_handler.h'",
  ],
  [["my.own.SomeError: it broke", "  at once"], "my.own.SomeError: it broke"],
  [["nothing raised", "  indented"], "nothing raised"],
  [[], ""],
])("the reason of %j", (tail, reason) => {
  expect(reasonOf(tail)).toBe(reason);
});
