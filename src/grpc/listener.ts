/**
 * gRPC ports: the only importer of grpc-js and what belongs to it (proto-loader, health checking, reflection). They are
 * imported when a port is asked for, so that a server without gRPC does not pay for them.
 *
 *   const library = await loadRpcLibrary();
 *   const port = await library.listen({ host, port, services, limits, report });
 *   port.setServing(true);
 *   const cut = await port.drain(30_000);
 *
 * Every port has grpc.health.v1 and server reflection beside its services. Thread: the one that listens.
 */

import type * as Grpc from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import type * as HealthCheck from "grpc-health-check";
import type * as Reflection from "@grpc/reflection";
import type { Http2Server } from "node:http2";
import { fileURLToPath } from "node:url";
import type { RpcCounters } from "../metrics/rpc-counters.js";
import type { RpcGate, RpcMethod, RpcReader, RpcService, RpcStatus } from "../rpc.js";
import {
  type CallOwner,
  DuplexCall,
  type PlainCall,
  type RawCall,
  type RawCallback,
  type RawDuplex,
  type RawMetadata,
  type RawWritable,
  UnaryCall,
  WritingCall,
} from "./call.js";
import { CappedSockets, type SocketCaps, type TlsTexts } from "./sockets.js";
import { waitable } from "./timeouts.js";

export interface RpcLimits extends SocketCaps {
  /** Bytes of one message of a client. */
  readonly maxRequestSize: number;
  /** Bytes of one answer. */
  readonly maxResponseSize: number;
  /** Calls open at one time on one connection; a client waits with more. */
  readonly maxStreams: number;
  /** After that long a connection is asked to close; 0: never. */
  readonly maxConnectionAgeMs: number;
  /** What its calls then get; 0: as long as they take. */
  readonly maxConnectionAgeGraceMs: number;
}

export interface RpcListenOptions {
  readonly host: string;
  readonly port: number;
  readonly services: readonly RpcService[];
  readonly limits: RpcLimits;
  readonly counters: RpcCounters;
  /** Undefined: no TLS. */
  readonly tls: TlsTexts | undefined;
  /** Undefined: every call may pass. Health and reflection are open. */
  readonly gate: RpcGate | undefined;
  /** A fault of a dialect: logged, and the call gets INTERNAL. */
  readonly report: (error: unknown, path: string) => void;
}

export interface RpcListening {
  readonly port: number;
  /** New connections meet this certificate; open ones go on. Without effect on a port without TLS. */
  renew(tls: TlsTexts): void;
  /** What the health service says from now on. */
  setServing(serving: boolean): void;
  /** Takes no new connection and no new call, waits for the open ones, closes. Resolves with how many were cut. */
  drain(timeoutMs: number): Promise<number>;
}

export interface RpcLibrary {
  listen(options: RpcListenOptions): Promise<RpcListening>;
}

/** A peer that answers no ping for that long is gone (a cable pulled); its calls are cancelled. */
const keepaliveMs = 60_000;
const keepaliveTimeoutMs = 20_000;
const lastWordsMs = 150;
/** The .proto files stand beside src and dist. */
const protoFolder = fileURLToPath(new URL("../../proto/", import.meta.url));
const protoFiles = [
  "inference.proto",
  "management.proto",
  "open_inference.proto",
  "torchserve_open_inference.proto",
  "google/rpc/status.proto",
  "google/rpc/error_details.proto",
];

interface Modules {
  readonly grpc: typeof Grpc;
  readonly HealthImplementation: typeof HealthCheck.HealthImplementation;
  readonly ReflectionService: typeof Reflection.ReflectionService;
  readonly definitions: PackageDefinition;
}

export async function loadRpcLibrary(): Promise<RpcLibrary> {
  const [grpc, loader, health, reflection] = await Promise.all([
    import("@grpc/grpc-js"),
    import("@grpc/proto-loader"),
    import("grpc-health-check"),
    import("@grpc/reflection"),
  ]);
  const files = [...protoFiles, health.protoPath];
  const definitions = await loader.load(files, { keepCase: true, defaults: true, includeDirs: [protoFolder] });
  const { HealthImplementation } = health;
  const modules: Modules = {
    grpc,
    HealthImplementation,
    ReflectionService: reflection.ReflectionService,
    definitions,
  };
  return { listen: (options) => new RpcPort(modules, options).open() };
}

interface SideCall {
  end(): void;
  once(event: "cancelled", listener: () => void): unknown;
}
type AnyHandler = (...given: unknown[]) => unknown;

class RpcPort implements RpcListening, CallOwner {
  port = 0;
  private readonly modules: Modules;
  private readonly options: RpcListenOptions;
  private readonly server: Grpc.Server;
  private readonly sockets: CappedSockets;
  private readonly health: HealthCheck.HealthImplementation;
  private readonly calls = new Set<PlainCall>();
  /** Streams of the health and reflection services, which no client ever ends. */
  private readonly side = new Set<SideCall>();
  private serving: boolean | undefined;
  private draining = false;

  constructor(modules: Modules, options: RpcListenOptions) {
    const { grpc, HealthImplementation } = modules;
    this.modules = modules;
    this.options = options;
    this.server = new grpc.Server({ ...serverOptions(options.limits), interceptors: [steadyDeadlines(grpc)] });
    const injector = this.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    shortenTimeouts(this.server);
    this.sockets = new CappedSockets(
      options.limits,
      (socket) => injector.injectConnection(socket),
      options.counters,
      options.tls,
    );
    this.health = new HealthImplementation();
    this.setServing(false);
    this.addServices();
  }

  async open(): Promise<this> {
    this.port = await this.sockets.listen(this.options.host, this.options.port);
    return this;
  }

  renew(tls: TlsTexts): void {
    this.sockets.renew(tls);
  }

  setServing(serving: boolean): void {
    if (this.serving === serving) return;
    this.serving = serving;
    const status = serving ? "SERVING" : "NOT_SERVING";
    for (const name of ["", ...this.options.services.map((each) => each.name)]) this.health.setStatus(name, status);
  }

  newMetadata(): RawMetadata {
    return new this.modules.grpc.Metadata();
  }
  opened(call: PlainCall): void {
    this.calls.add(call);
    this.options.counters.addOpen(1);
  }
  closed(call: PlainCall, status: RpcStatus): void {
    this.calls.delete(call);
    this.options.counters.addOpen(-1);
    this.options.counters.countEnd(status);
  }

  async drain(timeoutMs: number): Promise<number> {
    this.draining = true;
    this.setServing(false);
    this.sockets.close();
    const done = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    for (const call of this.side) call.end();
    for (const call of this.calls) call.reader?.drain();
    await Promise.race([done, after(timeoutMs)]);
    const cut = this.calls.size;
    for (const call of [...this.calls]) call.abandon("UNAVAILABLE", "The server is shutting down (--drain-timeout).");
    // What was cut was told so: let the words leave before the connections close.
    if (cut > 0) await Promise.race([done, after(lastWordsMs)]);
    this.server.forceShutdown();
    this.sockets.destroyAll();
    return cut;
  }

  private addServices(): void {
    const { definitions, ReflectionService } = this.modules;
    for (const { name, methods } of this.options.services) {
      const implementation: Record<string, AnyHandler> = {};
      for (const [method, what] of Object.entries(methods)) implementation[method] = this.handler(what);
      this.addService(definitions[name] as Grpc.ServiceDefinition, implementation);
    }
    const names = [...this.options.services.map((each) => each.name), "grpc.health.v1.Health"];
    // Both only call addService; what they add is wrapped so that the drain can end their streams.
    const wrapping = {
      addService: (definition: Grpc.ServiceDefinition, implementation: Readonly<Record<string, AnyHandler>>) => {
        const wrapped = Object.entries(implementation).map(([name, how]) => [name, this.watched(how)] as const);
        this.addService(definition, Object.fromEntries(wrapped));
      },
    } as unknown as Grpc.Server;
    this.health.addToServer(wrapping);
    new ReflectionService(definitions, { services: names }).addToServer(wrapping);
  }

  private addService(definition: Grpc.ServiceDefinition, implementation: Readonly<Record<string, AnyHandler>>): void {
    this.server.addService(definition, implementation);
  }

  private watched(handler: AnyHandler): AnyHandler {
    return (call, callback) => {
      if (callback === undefined) this.keep(call as SideCall);
      return handler(call, callback);
    };
  }

  private keep(call: SideCall): void {
    this.side.add(call);
    call.once("cancelled", () => this.side.delete(call));
    if (this.draining) setImmediate(() => call.end());
  }

  private handler(method: RpcMethod): AnyHandler {
    if (method.takes === "many") return (raw) => this.stream(method, raw as RawDuplex);
    if (method.answers === "many") {
      return (raw) => {
        const writable = raw as RawWritable & { readonly request: object };
        const call = new WritingCall(writable, this);
        this.begin(call, method, () => method.start(writable.request, call));
      };
    }
    return (raw, callback) => {
      const unary = raw as RawCall & { readonly request: object };
      const call = new UnaryCall(unary, callback as RawCallback, this);
      this.begin(call, method, () => method.start(unary.request, call));
    };
  }

  private stream(method: Extract<RpcMethod, { takes: "many" }>, raw: RawDuplex): void {
    const call = new DuplexCall(raw, this);
    this.begin(call, method, () => {
      const reader = this.gated(call, method.open(call));
      call.read(reader, (work) => this.guard(call, work));
      if (this.draining) reader.drain();
    });
  }

  private begin(call: PlainCall, method: RpcMethod, work: () => void): void {
    const reads = method.takes === "one" && method.reads === true;
    const refusal = this.options.gate?.(call.header("authorization"), reads, method.takes === "one");
    if (refusal !== undefined) call.fail(refusal.status, refusal.message, refusal.metadata);
    else this.guard(call, work);
  }

  /** Each message of a stream is a request of its own; one that may not pass ends the stream. */
  private gated(call: PlainCall, reader: RpcReader): RpcReader {
    const { gate } = this.options;
    if (gate === undefined) return reader;
    return {
      message: (request) => {
        const refusal = gate(call.header("authorization"), false, true);
        if (refusal !== undefined) call.abandon(refusal.status, refusal.message, refusal.metadata);
        else reader.message(request);
      },
      halfClosed: () => reader.halfClosed(),
      drain: () => reader.drain(),
    };
  }

  private guard(call: PlainCall, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.report(error, call.path);
      call.abandon("INTERNAL", "The server failed; its log has the reason.");
    }
  }
}

function serverOptions(limits: RpcLimits): Grpc.ServerOptions {
  const age = limits.maxConnectionAgeMs > 0 ? { "grpc.max_connection_age_ms": limits.maxConnectionAgeMs } : {};
  const grace =
    limits.maxConnectionAgeGraceMs > 0 ? { "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs } : {};
  return {
    "grpc.max_receive_message_length": limits.maxRequestSize,
    "grpc.max_send_message_length": limits.maxResponseSize,
    "grpc.max_concurrent_streams": limits.maxStreams,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
    ...age,
    ...grace,
  };
}

/**
 * What is left of a call's deadline, kept by the steady clock from its headers on: grpc-js tells deadlines by the wall
 * clock, and a call is seen only when its message is there; the clock may have jumped meanwhile.
 */
function steadyDeadlines(grpc: typeof Grpc): Grpc.ServerInterceptor {
  class SteadyCall extends grpc.ServerInterceptingCall {
    private readonly deadlineMs: number;

    constructor(call: Grpc.ServerInterceptingCallInterface) {
      super(call);
      this.deadlineMs = performance.now() + Number(call.getDeadline()) - Date.now();
    }

    override getDeadline(): number {
      return this.deadlineMs;
    }
  }
  return (_method, call) => new SteadyCall(call);
}

/** Before grpc-js reads the headers: what it hands to interceptors has its timer already. It has no other way in. */
function shortenTimeouts(server: Grpc.Server): void {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const each of http2Servers.keys()) {
    each.prependListener("stream", (_stream, headers) => {
      const timeout = headers["grpc-timeout"];
      if (typeof timeout === "string") headers["grpc-timeout"] = waitable(timeout);
    });
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
