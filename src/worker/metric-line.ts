/** `Name.Unit:value|#Dim:v,…|#type:GAUGE|#hostname:h,time,ids` → a sample, or TorchServe's line of the log. Pure. */
import { javaDouble } from "../metrics/java-text.js";

export interface WorkerSample {
  readonly name: string;
  /** In TorchServe's long words where it is one of its units. */
  readonly unit: string;
  readonly value: number;
  readonly type: "counter" | "gauge" | "histogram";
  readonly dimensions: readonly (readonly [name: string, value: string])[];
}

const units: Readonly<Record<string, string>> = {
  ms: "Milliseconds",
  s: "Seconds",
  percent: "Percent",
  count: "Count",
  MB: "Megabytes",
  kB: "Kilobytes",
  GB: "Gigabytes",
  B: "Bytes",
  "": "unit",
};

const maxNameLength = 256;
const maxDimensions = 32;
const maxValueLength = 256;
/** What a Prometheus metric and a label may be called; two underscores at the beginning are Prometheus' own. */
const metricName = /^[A-Za-z_:][\w:]*$/;
const labelName = /^(?!__)[A-Za-z_]\w*$/;

/** Undefined for a line that is no metric, or one that no Prometheus page could hold. */
export function parseMetricLine(line: string): WorkerSample | undefined {
  const [head = "", dimensionText = "", typeText = ""] = line.split("|#");
  const colon = head.lastIndexOf(":");
  const dot = head.lastIndexOf(".", colon);
  const name = head.slice(0, dot);
  const value = Number(head.slice(colon + 1));
  const good = dot > 0 && colon > dot && colon + 1 < head.length && Number.isFinite(value);
  if (!good || name.length > maxNameLength || !metricName.test(name)) return undefined;
  const unit = head.slice(dot + 1, colon);
  const dimensions = parseDimensions(dimensionText.replace(/\|$/, ""));
  if (dimensions === undefined) return undefined;
  return { name, unit: units[unit] ?? unit.slice(0, maxNameLength), value, type: typeOf(typeText), dimensions };
}

/** What stands before the unit. */
export function nameOf(line: string): string {
  const head = line.split("|#", 1)[0] ?? "";
  return head.slice(0, Math.max(0, head.lastIndexOf(".", head.lastIndexOf(":"))));
}

/**
 * As TorchServe's frontend logs what its workers report: `Name.Unit:value|#Dim:v,…|#hostname:h,requestID:ids,timestamp:time`.
 * `sample`: what parseMetricLine made of it; a line that is no metric stays as it is.
 */
export function loggedLine(line: string, sample: WorkerSample | undefined): string {
  if (sample === undefined) return line;
  const { name, unit, value, dimensions } = sample;
  const [host = "", time = "", ...ids] = (line.split("|#hostname:")[1] ?? "").split(",");
  const tail = [...(ids.length > 0 ? [`requestID:${ids.join(",")}`] : []), `timestamp:${time}`];
  const dims = dimensions.map((pair) => pair.join(":")).join(",");
  return `${name}.${unit}:${javaDouble(String(value))}|#${dims}|#hostname:${[host, ...tail].join(",")}`;
}

function typeOf(text: string): WorkerSample["type"] {
  const word = text.replace(/\|$/, "").replace(/^type:/, "");
  return word === "GAUGE" ? "gauge" : word === "HISTOGRAM" ? "histogram" : "counter";
}

function parseDimensions(text: string): WorkerSample["dimensions"] | undefined {
  if (text === "") return [];
  const pairs = text.split(",");
  if (pairs.length > maxDimensions) return undefined;
  const dimensions: (readonly [string, string])[] = [];
  for (const pair of pairs) {
    const colon = pair.indexOf(":");
    const name = pair.slice(0, colon);
    if (colon <= 0 || !labelName.test(name)) return undefined;
    dimensions.push([name, pair.slice(colon + 1, colon + 1 + maxValueLength)]);
  }
  return dimensions;
}
