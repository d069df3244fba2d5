import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { HandlerFamily, ModelStats } from "../../../src/engine/engine.js";
import { createExposition } from "../../../src/metrics/exposition.js";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { createRpcMemory, RpcCounters } from "../../../src/metrics/rpc-counters.js";
import { readers, type Snapshot } from "../../../src/metrics/samples.js";
import { metricTable } from "../../../src/metrics/table.js";
import type { MetricsMode } from "../../../src/metrics/torchserve.js";
import { torchserveRows } from "../../../src/metrics/torchserve-table.js";

const torchserveNames = torchserveRows.map((row): string => row.name);
const empty = { bounds: [], counts: [0], sum: 0 };
const stats: ModelStats = {
  name: "m",
  version: "1",
  isDefault: true,
  queueDepth: 2,
  instances: 1,
  lanes: 1,
  inFlight: 3,
  executor: "inline",
  executorReason: "",
  requestsByCode: [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  requestBytes: 10,
  responseBytes: 20,
  batches: 4,
  inlineBatches: 1,
  rows: 5,
  requestSeconds: { bounds: [0.1, 1], counts: [1, 2, 3], sum: 4.5 },
  queueSeconds: { bounds: [0.1], counts: [1, 0], sum: 0.25 },
  inferenceSeconds: empty,
  batchRows: empty,
  named: { requests: 0, requestSeconds: 0, queueSeconds: 0 },
};
const system = {
  cpuPercent: 12.5,
  memoryPercent: 50,
  memoryUsedMb: 1024,
  memoryAvailableMb: 2048,
  diskPercent: 25,
  diskUsedGb: 1,
  diskAvailableGb: 3,
};
const snapshot: Snapshot = {
  version: "0.1.0",
  node: "v20",
  hostname: "h",
  engine: { builtAgainst: "", libtorch: "2.13", cuda: false, cpuCapability: "", parallel: "" },
  stats: [stats],
  devices: [
    {
      index: 0,
      name: "cuda:0",
      hardware: "H",
      architecture: "sm_90",
      totalBytes: 100,
      inService: true,
      reason: "",
      capacityBytes: 90,
      reservedBytes: 30,
      running: 1,
      waiting: 2,
      batches: 7,
      busySeconds: 0.5,
      splits: 3,
      models: { "m/1.0": 30 },
    },
  ],
  inference: [{ name: "m", version: "1", requests: 6, requestSeconds: 4.5, queueSeconds: 0.25 }],
  entries: [],
  waits: { of: ({ name, version }) => (`${name}/${version}` === "mlp/1.0" ? 3 : 0) },
  loads: [{ trigger: "startup", outcome: "ok", count: 1 }],
  http: new HttpState(createHttpState(1), 0),
  otherPorts: [new HttpState(createHttpState(1), 0)],
  rpc: new RpcCounters(createRpcMemory()),
  tokens: [{ name: "shop", allowed: 3, limited: 1 }],
  window: {
    system,
    gpus: [{ index: 0, utilization: 37, memoryUsed: 4096, memoryTotal: 81559 }],
    queueMs: 1.5,
    threadMs: 0.25,
    models: [{ name: "m", predictionMs: 2, handlerMs: 3 }],
  },
};

test("the table's names are Prometheus', each with a unit or a total, words and a reader", () => {
  const names = metricTable.map((row) => row.name);
  expect(new Set(names).size).toBe(names.length);
  for (const row of metricTable) {
    if (!torchserveNames.includes(row.name)) expect(row.name).toMatch(/^sconce_[a-z_]+$/);
    if (row.type === "counter" && row.name.startsWith("sconce_")) expect(row.name).toMatch(/_total$/);
    expect(row.help).toMatch(/\.$/);
  }
  expect(Object.keys(readers).sort()).toEqual([...names].sort());
});

test("every sample has exactly its row's labels", () => {
  for (const row of metricTable) {
    for (const sample of readers[row.name](snapshot))
      expect(Object.keys(sample.labels), row.name).toEqual([...row.labels]);
  }
});

test("histograms are cumulative, counters are what the engine says", async () => {
  const { text } = await createExposition(() => snapshot, { processMetrics: false }).scrape();
  const lines = text.split("\n");
  for (const line of [
    'sconce_request_duration_seconds_bucket{le="0.1",model="m",version="1"} 1',
    'sconce_request_duration_seconds_bucket{le="1",model="m",version="1"} 3',
    'sconce_request_duration_seconds_bucket{le="+Inf",model="m",version="1"} 6',
    'sconce_request_duration_seconds_sum{model="m",version="1"} 4.5',
    'sconce_request_duration_seconds_count{model="m",version="1"} 6',
    'sconce_requests_total{model="m",version="1",code="ok"} 5',
    'sconce_requests_total{model="m",version="1",code="queue_full"} 1',
    'sconce_batches_total{model="m",version="1",executor="lane"} 3',
    'ts_inference_latency_microseconds{model_name="m",model_version="1",hostname="h",} 4500000.0',
    'ts_queue_latency_microseconds{model_name="m",model_version="1",hostname="h",} 250000.0',
  ]) {
    expect(lines).toContain(line);
  }
});

/** The grammar of the text format 0.0.4: comments in pairs before their family's samples, no family twice. */
function families(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let family = "";
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const head = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (head?.[1] === "HELP") {
      family = head[2] ?? "";
      expect(found.has(family), family).toBe(false);
      found.set(family, []);
    } else if (head) {
      expect([head[2], /^(counter|gauge|histogram|summary)$/.test(head[3] ?? "")]).toEqual([family, true]);
    } else {
      expect(line).toMatch(/^[a-zA-Z_:][\w:]*(\{(\w+="(\\[\\n"]|[^\\"\n])*",?)*\})? (-?[0-9.e+-]+|NaN|[+-]?Inf)$/);
      expect(line.replace(/(_bucket|_sum|_count)?[{ ].*$/, "")).toBe(family);
      found.get(family)?.push(line);
    }
  }
  for (const [name, lines] of found) expect(new Set(lines).size, name).toBe(lines.length);
  return found;
}

test("every mode's text follows the format's grammar; the modes move TorchServe's metrics between endpoint and log", async () => {
  const shown = async (mode: MetricsMode): Promise<string[]> => {
    const { text } = await createExposition(() => snapshot, { processMetrics: true, mode }).scrape();
    return [...families(text).keys()].filter((name) => torchserveNames.includes(name));
  };
  expect(await shown("prometheus")).toEqual(torchserveNames);
  expect(await shown("legacy")).toEqual(torchserveNames.filter((name) => name.startsWith("ts_")));
  expect(await shown("log")).toEqual([]);
});

test("every family of a scrape has its row in docs/metrics.md", async () => {
  const docs = readFileSync(join(import.meta.dirname, "../../../docs/metrics.md"), "utf8");
  const { text } = await createExposition(() => snapshot, { processMetrics: true }).scrape();
  expect([...families(text).keys()].filter((name) => !docs.includes(`| \`${name}\` | `))).toEqual([]);
});

test("a filter gives the families it names, by their own name or a sample's", async () => {
  const exposition = createExposition(() => snapshot, { processMetrics: true });
  const filtered = await exposition.scrape([
    "CPUUtilization",
    "sconce_request_duration_seconds_count",
    "sconce_request_duration_seconds_sum",
    "nothing",
  ]);
  expect([...families(filtered.text).keys()]).toEqual(["CPUUtilization", "sconce_request_duration_seconds"]);
  expect(filtered.text).toContain('CPUUtilization{Level="Host",Hostname="h",} 12.5\n');
  expect((await exposition.scrape(["nothing"])).text).toBe("");
});

test("families of handlers appear when they are there, filtered or not; a name that is taken stays its owner's", async () => {
  const labels = { ModelName: "m" };
  const family = (name: string, type: HandlerFamily["type"], value = 2): HandlerFamily => {
    const histogram = { bounds: [0.5], counts: [1, 1], sum: 3 };
    return { name, unit: "Count", type, series: [type === "histogram" ? { labels, histogram } : { labels, value }] };
  };
  const handlerMetrics = [
    family("Cups", "counter"),
    family("Size", "histogram"),
    family("Size_count", "gauge"),
    family("sconce_queue_depth", "gauge"),
    family("sconce_batch_size_sum", "gauge"),
    family("HandlerTime", "gauge"),
  ];
  const other = { ...stats, name: "n", handlerMetrics: [family("Cups", "gauge", 9)] };
  let now = snapshot;
  const exposition = createExposition(() => now, { processMetrics: false });
  const before = families((await exposition.scrape()).text);
  now = { ...snapshot, stats: [{ ...stats, handlerMetrics }, other] };
  const { text } = await exposition.scrape();
  const seen = families(text);
  expect([...seen.keys()].filter((name) => !before.has(name))).toEqual(["Cups", "Size"]);
  expect(seen.get("Cups")).toEqual(['Cups{ModelName="m",Hostname="h",} 2.0']);
  expect(text).toContain("# HELP Cups TorchServe: a counter of Python handlers, in Count.\n# TYPE Cups counter\n");
  expect(text).toContain('Size_bucket{ModelName="m",Hostname="h",le="+Inf",} 2.0\n');
  expect((await exposition.scrape(["Cups"])).text).toContain("Cups{");
  now = snapshot;
  expect((await exposition.scrape()).text).not.toMatch(/Cups|Size/);
  now = { ...snapshot, stats: [other] };
  expect(families((await exposition.scrape()).text).get("Cups")).toEqual(['Cups{ModelName="m",Hostname="h",} 9.0']);
});

test("a model's weights are on the GPUs that hold it, or on the CPU", () => {
  const entry = (name: string, weightsBytes: number) => ({ name, version: "1", report: { weightsBytes } });
  const device = (name: string, ...held: string[]) => ({
    name,
    models: Object.fromEntries(held.map((model) => [model, 9])),
  });
  const placed = {
    entries: [entry("spread", 40), entry("here", 8), { name: "coming", version: "1" }],
    devices: [device("cuda:0", "spread/1"), device("cuda:1", "spread/1"), device("cuda:2")],
  };
  const found = readers.sconce_model_memory_bytes({ ...snapshot, ...placed } as unknown as Snapshot);
  expect(found).toEqual([
    { labels: { model: "spread", version: "1", device: "cuda:0" }, value: 40 },
    { labels: { model: "spread", version: "1", device: "cuda:1" }, value: 40 },
    { labels: { model: "here", version: "1", device: "cpu" }, value: 8 },
  ]);
});
