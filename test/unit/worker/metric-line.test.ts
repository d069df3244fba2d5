import { expect, test } from "vitest";
import { loggedLine, nameOf, parseMetricLine } from "../../../src/worker/metric-line.js";

test("a line as TorchServe's workers write it", () => {
  const line = "PredictionTime.ms:12.5|#ModelName:mnist,Level:Model|#type:GAUGE|#hostname:h,1700000000,id-1";
  expect(parseMetricLine(line)).toEqual({
    name: "PredictionTime",
    unit: "Milliseconds",
    value: 12.5,
    type: "gauge",
    dimensions: [
      ["ModelName", "mnist"],
      ["Level", "Model"],
    ],
  });
});

test("types and units, also without dimensions and of one's own", () => {
  expect(parseMetricLine("Cups.cup:2|#|#type:COUNTER|#hostname:h,1")).toEqual({
    name: "Cups",
    unit: "cup",
    value: 2,
    type: "counter",
    dimensions: [],
  });
  expect(parseMetricLine("a.b.MB:1e3|#K:v:w|#type:HISTOGRAM|#hostname:h,1")).toBeUndefined();
  expect(parseMetricLine("A.MB:1e3|#K:v:w|#type:HISTOGRAM|#hostname:h,1")).toEqual({
    name: "A",
    unit: "Megabytes",
    value: 1000,
    type: "histogram",
    dimensions: [["K", "v:w"]],
  });
});

test.each([
  "",
  "no metric",
  "Name:1",
  "Name.ms:",
  "Name.ms:x",
  "Name.ms:Infinity",
  "1Name.ms:1",
  'Na"me.ms:1',
  "Name.ms:1|#9:v|#type:GAUGE",
  'Name.ms:1|#a"b:v|#type:GAUGE',
  "Name.ms:1|#:v|#type:GAUGE",
  `${"N".repeat(257)}.ms:1`,
  `Name.ms:1|#${Array.from({ length: 33 }, (_, i) => `d${i}:v`).join(",")}|#type:GAUGE`,
])("no metric: %s", (line) => {
  expect(parseMetricLine(line)).toBeUndefined();
});

test("a long value is cut", () => {
  const found = parseMetricLine(`N.ms:1|#d:${"v".repeat(1000)}|#type:GAUGE`);
  expect(found?.dimensions[0]?.[1]).toHaveLength(256);
});

const logged = (line: string): string => loggedLine(line, parseMetricLine(line));

test("its line in the log is the one of TorchServe's frontend", () => {
  const tail = "|#hostname:h,1700000000,a,b";
  expect(logged(`PredictionTime.ms:12|#ModelName:m,Level:Model|#type:GAUGE${tail}`)).toBe(
    "PredictionTime.Milliseconds:12.0|#ModelName:m,Level:Model|#hostname:h,requestID:a,b,timestamp:1700000000",
  );
  expect(logged("A.MB:1.5|#|#type:HISTOGRAM|#hostname:h,1")).toBe("A.Megabytes:1.5|#|#hostname:h,timestamp:1");
  expect(logged("no metric")).toBe("no metric");
});

test("the name alone", () => {
  expect(nameOf("PredictionTime.ms:1.5|#ModelName:a.b|#type:GAUGE")).toBe("PredictionTime");
  expect(nameOf("a.b.MB:1|#")).toBe("a.b");
  expect(nameOf("no metric")).toBe("");
});
