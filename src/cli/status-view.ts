/** What `sconce status` shows, from the management port's descriptions and two scrapes of the metrics port. Pure. */
import { quantileOf, type Scrape } from "./scrape.js";
import { table } from "./table.js";
import type { Terminal } from "./terminal.js";

/** The part of a described version that is read here. */
export interface DescribedVersion {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly sconce?: {
    readonly state?: string;
    readonly reason?: string;
    readonly phase?: string;
    readonly since?: string;
    readonly isDefault?: boolean;
    readonly loadSeconds?: number;
    readonly events?: readonly { readonly at: string; readonly what: string }[];
  };
}

export interface VersionStatus {
  readonly model: string;
  readonly version: string;
  readonly isDefault: boolean;
  readonly state: string;
  /** Why it is not ready: a failure's reason, a load's phase and seconds. */
  readonly reason?: string;
  readonly since?: string;
  readonly requestsPerSecond: number;
  /** Of these, answered with an error. */
  readonly errorsPerSecond: number;
  /** Of the time between the scrapes, else since it was loaded; undefined without requests. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly queue: number;
  readonly inFlight: number;
  readonly memoryBytes: number;
  /** What happened to it, oldest first. */
  readonly events: readonly { readonly at: string; readonly what: string }[];
}

export interface ServerStatus {
  /** As /ping says. */
  readonly health: string;
  readonly version: string;
  readonly libtorch: string;
  readonly uptimeSeconds: number;
  readonly memoryBytes: number;
  readonly connections: number;
  readonly inFlight: number;
  readonly draining: boolean;
  readonly versions: readonly VersionStatus[];
}

export interface Observed {
  readonly health: string;
  readonly described: readonly DescribedVersion[];
  readonly before: Scrape;
  readonly now: Scrape;
  /** Between the scrapes. */
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export function statusOf(observed: Observed): ServerStatus {
  const { now, health, at } = observed;
  const build = now.all("sconce_build_info")[0]?.labels;
  return {
    health,
    version: build?.["version"] ?? "",
    libtorch: build?.["libtorch"] ?? "",
    uptimeSeconds: Math.max(0, Math.round(at / 1000 - now.sum("process_start_time_seconds"))),
    memoryBytes: now.sum("process_resident_memory_bytes"),
    connections: now.sum("sconce_http_connections"),
    inFlight: now.sum("sconce_http_in_flight"),
    draining: now.sum("sconce_draining") > 0,
    versions: observed.described.map((each) => versionStatus(each, observed)),
  };
}

function versionStatus(described: DescribedVersion, { before, now, seconds }: Observed): VersionStatus {
  const { modelName: model, modelVersion: version, sconce = {} } = described;
  const labels = { model, version };
  const rate = (more: Readonly<Record<string, string>>): number => {
    const grown = now.sum("sconce_requests_total", { ...labels, ...more });
    return Math.max(0, (grown - before.sum("sconce_requests_total", { ...labels, ...more })) / seconds);
  };
  const all = rate({});
  const quantile = (share: number): number | undefined => {
    const name = "sconce_request_duration_seconds";
    const value = quantileOf(name, labels, share, now, before) ?? quantileOf(name, labels, share, now);
    return value === undefined ? undefined : value * 1000;
  };
  const [p50Ms, p99Ms] = [quantile(0.5), quantile(0.99)];
  const reason = reasonOf(sconce);
  return {
    model,
    version,
    isDefault: sconce.isDefault === true,
    state: sconce.state ?? "unknown",
    ...(reason === undefined ? {} : { reason }),
    ...(sconce.since === undefined ? {} : { since: sconce.since }),
    requestsPerSecond: all,
    errorsPerSecond: Math.max(0, all - rate({ code: "ok" })),
    ...(p50Ms === undefined ? {} : { p50Ms }),
    ...(p99Ms === undefined ? {} : { p99Ms }),
    queue: now.sum("sconce_queue_depth", labels),
    inFlight: now.sum("sconce_in_flight", labels),
    memoryBytes: now.sum("sconce_model_memory_bytes", labels),
    events: sconce.events ?? [],
  };
}

function reasonOf(sconce: NonNullable<DescribedVersion["sconce"]>): string | undefined {
  if (sconce.reason !== undefined) return sconce.reason;
  if (sconce.phase === undefined || sconce.state === "ready") return undefined;
  return `${sconce.phase}, ${(sconce.loadSeconds ?? 0).toFixed(1)} s`;
}

export function statusText(status: ServerStatus, terminal: Pick<Terminal, "colorOut">): string {
  const { version, libtorch, health, draining } = status;
  const head = [
    `sconce ${version} (libtorch ${libtorch}): ${draining ? "draining" : health}`,
    `up ${duration(status.uptimeSeconds)}, ${megabytes(status.memoryBytes)} resident, ${status.connections} connections, ${status.inFlight} requests in flight`,
  ].join("\n");
  if (status.versions.length === 0) return `${head}\n\nNo model is registered.\n`;
  const rows = status.versions.map((each) => [
    `${each.model}/${each.version}${each.isDefault ? " *" : ""}`,
    each.state,
    short(each.requestsPerSecond),
    short(each.errorsPerSecond),
    each.p50Ms === undefined ? "-" : short(each.p50Ms),
    each.p99Ms === undefined ? "-" : short(each.p99Ms),
    String(each.queue),
    megabytes(each.memoryBytes),
    each.reason ?? "",
  ]);
  const heads = ["model", "state", "req/s", "err/s", "p50 ms", "p99 ms", "queue", "weights", "reason"];
  return `${head}\n\n${table(heads, rows, terminal)}${eventsText(status.versions, terminal)}`;
}

/** Shown of all versions together. */
const maxShownEvents = 10;

/** The latest events, oldest first. */
function eventsText(versions: readonly VersionStatus[], terminal: Pick<Terminal, "colorOut">): string {
  const all = versions.flatMap(({ model, version, events }) =>
    events.map(({ at, what }) => [at, `${model}/${version}`, what] as const),
  );
  const latest = all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).slice(-maxShownEvents);
  if (latest.length === 0) return "";
  const rows = latest.map(([at, name, what]) => [`${at.slice(0, 19).replace("T", " ")} UTC`, name, what]);
  return `\n${table(["recent events", "model", ""], rows, terminal)}`;
}

/** Three digits, whole numbers from 100 on. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value === 0 ? "0" : value.toPrecision(3);
}

function megabytes(bytes: number): string {
  const MiB = bytes / 1024 ** 2;
  if (MiB < 1) return `${Math.ceil(bytes / 1024)} KiB`;
  return MiB >= 1024 ? `${(MiB / 1024).toFixed(1)} GiB` : `${MiB.toFixed(MiB < 10 ? 1 : 0)} MiB`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
