/** What `sconce models` shows people: tables and lines from describe's JSON. Pure. */
import { showSize } from "../config/values.js";
import { table } from "./table.js";
import type { Terminal } from "./terminal.js";

/** The part of describe that is shown. */
export interface Described {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly modelUrl: string;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelay: number;
  readonly responseTimeout: number;
  readonly workers: readonly { readonly status: string; readonly memoryUsage: number }[];
  readonly jobQueueStatus?: { readonly remainingCapacity: number; readonly pendingRequests: number };
  /** TorchServe itself has no such field. */
  readonly sconce?: {
    readonly state?: string;
    readonly reason?: string;
    readonly phase?: string;
    readonly isDefault?: boolean;
    readonly loadSeconds?: number;
    readonly kind?: string;
    readonly handler?: string;
    readonly executor?: string;
    readonly executorReason?: string;
    readonly form?: string;
    readonly formReason?: string;
    readonly batchReason?: string;
    readonly sha256?: string;
    readonly logLevel?: string;
    readonly lineage?: Readonly<Record<string, string>>;
    readonly warnings?: readonly string[];
    readonly inputs?: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  };
}

function stateOf({ sconce, workers }: Described): string {
  if (sconce?.state !== undefined) {
    const { state, phase, loadSeconds = 0 } = sconce;
    return state === "loading" ? `loading (${phase ?? "…"}, ${loadSeconds.toFixed(1)} s)` : state;
  }
  return workers.some(({ status }) => status === "READY") ? "ready" : "no workers";
}

function readyWorkers({ workers, maxWorkers, minWorkers }: Described): string {
  const ready = workers.filter(({ status }) => status === "READY").length;
  const wanted = minWorkers === maxWorkers ? `${minWorkers}` : `${minWorkers}-${maxWorkers}`;
  return `${ready}/${wanted}`;
}

function weights({ workers }: Described): string {
  const bytes = workers.reduce((sum, worker) => sum + worker.memoryUsage, 0);
  const unit = bytes >= 1024 ** 2 ? 1024 ** 2 : 1024;
  return bytes === 0 ? "" : showSize(Math.ceil(bytes / unit) * unit);
}

export function modelTable(models: readonly Described[], terminal: Pick<Terminal, "colorOut">): string {
  const rows = models.map((each) => [
    each.modelName,
    each.modelVersion,
    each.sconce?.isDefault === true ? "yes" : "",
    stateOf(each),
    readyWorkers(each),
    String(each.batchSize),
    weights(each),
    each.sconce?.state === "failed" ? `${each.modelUrl}: ${each.sconce.reason ?? ""}` : each.modelUrl,
  ]);
  return table(["model", "version", "default", "state", "workers", "batch", "weights", "source"], rows, terminal);
}

/** One version, a line per fact. */
export function modelText(each: Described, terminal: Pick<Terminal, "colorOut">): string {
  const { sconce = {} } = each;
  const because = (reason: string | undefined): string => (reason === undefined ? "" : ` (${reason})`);
  const inputs = sconce.inputs?.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(", ")}]`).join("; ");
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["version", `${each.modelVersion}${sconce.isDefault === true ? " (default)" : ""}`],
    ["state", `${stateOf(each)}${because(sconce.reason)}`],
    ["source", each.modelUrl],
    ["kind", sconce.kind],
    ["handler", sconce.handler],
    ["inputs", inputs === "" ? undefined : inputs],
    ["workers", readyWorkers(each)],
    ["batch size", `${each.batchSize}${because(sconce.batchReason)}`],
    ["batch delay", `${each.maxBatchDelay} ms`],
    ["response timeout", `${each.responseTimeout} s`],
    ["executor", sconce.executor === undefined ? undefined : `${sconce.executor}${because(sconce.executorReason)}`],
    ["form", sconce.form === undefined ? undefined : `${sconce.form}${because(sconce.formReason)}`],
    ["queue", each.jobQueueStatus && `${each.jobQueueStatus.pendingRequests} waiting`],
    ["weights", weights(each)],
    ["log level", sconce.logLevel],
    ...Object.entries(sconce.lineage ?? {}),
    ...(sconce.warnings ?? []).map((each) => ["warning", each] as const),
    ["sha256", sconce.sha256],
  ];
  const shown = facts.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, value]]));
  return table(["model", each.modelName], shown, terminal);
}
