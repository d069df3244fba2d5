import { expect, test } from "vitest";
import { asJavaClient, javaDouble } from "../../../src/metrics/java-text.js";

test.each([
  ["5", "5.0"],
  ["0", "0.0"],
  ["12.5", "12.5"],
  ["-3", "-3.0"],
  ["9999999", "9999999.0"],
  ["10000000", "1.0E7"],
  ["12345678.5", "1.23456785E7"],
  ["0.001", "0.001"],
  ["0.0005", "5.0E-4"],
  ["NaN", "NaN"],
  ["+Inf", "+Inf"],
])("%s as Java prints it", (text, wanted) => {
  expect(javaDouble(text)).toBe(wanted);
  if (Number.isFinite(Number(text))) expect(Number(wanted)).toBe(Number(text));
});

test("only the families that are asked for, labels untouched", () => {
  const text = [
    "# HELP Requests2XX Requests2XX{a} 1",
    'Requests2XX{Level="Host",Hostname="a} 3 {b\\""} 4',
    'Requests2XXMore{Level="Host"} 4',
    'sconce_requests_total{model="Requests2XX{a} 1"} 4',
    "Requests2XX 4",
  ].join("\n");
  expect(asJavaClient(text, new Set(["Requests2XX"])).split("\n")).toEqual([
    "# HELP Requests2XX Requests2XX{a} 1",
    'Requests2XX{Level="Host",Hostname="a} 3 {b\\"",} 4.0',
    'Requests2XXMore{Level="Host"} 4',
    'sconce_requests_total{model="Requests2XX{a} 1"} 4',
    "Requests2XX 4",
  ]);
});
