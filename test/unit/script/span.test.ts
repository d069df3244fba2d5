import { expect, test } from "vitest";
import { beginSpan, spanOf } from "../../../src/script/span.js";

const trace = "0af7651916cd43dd8448eb211c80319c";
const parent = "b7ad6b7169203331";

test.each([
  ["01", true],
  ["00", false],
])("a request with a traceparent (flags %s) goes on with its trace, as a span of its own", (flags, sampled) => {
  const span = spanOf(beginSpan(`00-${trace}-${parent}-${flags}`));
  expect(span).toMatchObject({ traceId: trace, parentSpanId: parent, sampled });
  expect(span.spanId).toMatch(/^[\da-f]{16}$/);
  expect(span.spanId).not.toBe(parent);
  expect(span.traceparent).toBe(`00-${trace}-${span.spanId}-${flags}`);
});

test.each([undefined, "", `00-${trace}-${parent}-0g`])("without one (%j) each begins a trace", (header) => {
  const [one, two] = [spanOf(beginSpan(header)), spanOf(beginSpan(header))];
  expect(one).toMatchObject({ parentSpanId: undefined, sampled: false });
  expect(one.traceparent).toBe(`00-${one.traceId}-${one.spanId}-02`);
  expect(one.traceId).toMatch(/^[\da-f]{32}$/);
  expect(new Set([one.traceId, two.traceId, trace]).size).toBe(3);
});
