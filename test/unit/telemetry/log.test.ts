import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLog, maxLineBytes, type LogOptions } from "../../../src/telemetry/log.js";

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const now = () => new Date("2026-01-02T03:04:05.678Z");
  const log = createLog({ level: "info", format: "json", now, write: (line) => lines.push(line), ...options });
  return { lines, log };
}

describe("the log", () => {
  test("writes one JSON object per line", () => {
    const { lines, log } = capture();
    log.child({ model: "digits" }).warn("load failed", { seconds: 1.5, absent: undefined });
    expect(lines).toEqual([
      '{"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"load failed","model":"digits","seconds":1.5}\n',
    ]);
  });

  test("no line holds the password or the query of a URL", () => {
    const { lines, log } = capture();
    log.warn("GET https://ann:hunter2@h/", { source: "https://h/m.mar?sig=hunter2", long: "x".repeat(maxLineBytes) });
    log.warn("refused", { reason: new Error("https://ann:hunter2@h/ is not allowed") });
    expect(lines).toHaveLength(2);
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines[1]).toContain("https://(redacted)@h/ is not allowed");
  });

  test("text names the level and quotes what needs it", () => {
    const { lines, log } = capture({ format: "text" });
    log.error("gone", { path: "/a/b.pt", reason: "no such file" });
    expect(lines).toEqual(['03:04:05.678 ERROR gone path=/a/b.pt reason="no such file"\n']);
  });

  test("torchserve's form is log4j's", () => {
    const { lines, log } = capture({ format: "torchserve" });
    log.warn("load failed", { model: "m" });
    expect(lines[0]).toMatch(/^2026-01-0\dT\d\d:\d\d:05,678 \[WARN \] main sconce - load failed model=m\n$/);
  });

  test("another program's words have its file, and its thread instead of fields in TorchServe's form", () => {
    const written: [string, string][] = [];
    const write = (line: string, file: string): void => void written.push([file, line]);
    const source = { file: "model", thread: "W-1-m_1.0-stdout" } as const;
    for (const format of ["torchserve", "json"] as const) {
      const log = capture({ format, write }).log.child({ model: "m" });
      log.of(source).info("hello", { stream: "stdout" });
      log.of(source).child({ worker: 1 }).debug("not at this level");
      log.info("ours");
    }
    expect(written.map(([file]) => file)).toEqual(["model", "log", "model", "log"]);
    expect(written[0]?.[1]).toMatch(/05,678 \[INFO \] W-1-m_1\.0-stdout MODEL_LOG - hello\n$/);
    expect(written[2]?.[1]).toContain('"message":"hello","model":"m","stream":"stdout"}');
  });

  test("colours only when asked", () => {
    const { lines, log } = capture({ format: "text", color: true });
    log.info("x");
    expect(lines[0]).toContain("\u001b[36mINFO ");
  });

  test("drops what is below its level", () => {
    const { lines, log } = capture({ level: "warn" });
    log.debug("a");
    log.info("b");
    log.warn("c");
    expect(lines).toHaveLength(1);
  });

  test.each(["json", "text", "torchserve"] as const)(
    "%s: no text can make a second line or a control character",
    (format) => {
      const hostile = fc.string({
        unit: fc.constantFrom("\r", "\n", "\u0000", "\u001b", "\u2028", "\u0085", "a", '"', "\\"),
      });
      fc.assert(
        fc.property(hostile, hostile, hostile, (message, key, value) => {
          const { lines, log } = capture({ format });
          log.info(message, { [`k${key}`]: value });
          expect(lines).toHaveLength(1);
          const body = lines[0]!.slice(0, -1);
          expect(body).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
          if (format === "json") expect(JSON.parse(body).message).toBe(message);
        }),
      );
    },
  );

  test.each([
    ["fields", "short", { big: "x".repeat(100_000) }],
    ["message", "\n".repeat(50_000), {}],
  ])("a line too long by its %s is cut and says so", (_, message, fields) => {
    const { lines, log } = capture();
    log.info(message, fields);
    expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(maxLineBytes);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: "info", truncated: true });
  });

  test("errors, bigints and cycles do not lose the line", () => {
    const { lines, log } = capture();
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    log.error("x", { error: new Error("outer", { cause: new Error("inner") }), big: 10n, cycle });
    const parsed = JSON.parse(lines[0]!);
    expect(parsed.error).toMatchObject({ message: "outer", cause: { message: "inner" } });
    expect(parsed.big).toBe("10");
    expect(parsed.cycle).toBe("(not serialisable)");
  });
});

test("a model's own level, for its lines alone, on children made before it too", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "text", write: (line) => lines.push(line) });
  const worker = log.child({ model: "digits" });
  const known = (model: string): boolean => model !== "gone";
  log.levels.set("gone", "debug", () => true);
  log.levels.set("digits", "debug", known);
  worker.debug("one");
  log.debug("two", { model: "other" });
  log.debug("three", { model: "gone" });
  log.debug("four");
  log.levels.set("digits", "error", known);
  worker.warn("five");
  log.warn("six", { model: "other" });
  log.levels.set("digits", undefined, known);
  worker.info("seven");
  expect(lines.map((line) => /(one|two|three|four|five|six|seven)/.exec(line)?.[0])).toEqual(["one", "six", "seven"]);
});
