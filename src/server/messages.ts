/** What main and the HTTP threads say to each other. Plain data: it crosses by structured clone. */

import type { MessagePort } from "node:worker_threads";
import type { ManageOutcome, ManageRequest } from "../api/grpc/management.js";
import type { ErrorCode } from "../errors.js";
import type { ConnectionLimits } from "../http/connections.js";
import type { ExchangeLimits } from "../http/limits.js";
import type { TlsFiles } from "../http/raw.js";
import type { ModelEntry } from "../models/models.js";
import type { LogFormat } from "../telemetry/log.js";
import type { AnswerLimit, HandlerSpec, ModelInterface } from "../types.js";
import type { GrpcSetup } from "./grpc-server.js";

export interface ThreadLimits extends ExchangeLimits, ConnectionLimits {
  readonly maxInflateRatio: number;
  readonly maxImagePixels: number;
  readonly decodeParallelism: number;
  readonly maxResponseSize: number;
  readonly accessLog: AccessLogMode;
  readonly logFormat: LogFormat;
  /** The keys that requests are checked against; undefined: every request may pass. */
  readonly tokens: SharedArrayBuffer | undefined;
  /** The named tokens that requests are checked against too; undefined: there are none. */
  readonly namedTokens: SharedArrayBuffer | undefined;
  readonly compat: "torchserve" | "sconce";
  /** Further paths of the inference port, as api/torchserve/paths.ts has them; "": none. */
  readonly healthRoute: string;
  readonly predictRoute: string;
  /** SageMaker's multi-model API is answered on the inference port. */
  readonly multiModel: boolean;
  /** How long a request waits for a model that is being loaded; 0: it is answered at once. */
  readonly loadWaitMs: number;
  /** The server's version. */
  readonly version: string;
}

export type AccessLogMode = "off" | "errors" | "all";

/** Given to a thread when it starts. */
export interface ThreadSetup {
  /** Its region in the shared state. */
  readonly index: number;
  readonly memory: SharedArrayBuffer;
  /** URL of the module whose `openEngine` gives this process' engine. */
  readonly engineModule: string;
  readonly limits: ThreadLimits;
  /** To Python workers; undefined: there are none. */
  readonly door: MessagePort | undefined;
  /** To handlers in TypeScript; undefined: there are none. */
  readonly scripts: MessagePort | undefined;
  /** To main, for what it answers on the inference port; undefined: nothing. */
  readonly relay?: MessagePort | undefined;
  /** HTTPS; the files are there until the thread is ready. */
  readonly tls: TlsFiles | undefined;
}

/** Given to the gRPC thread when it starts. */
export interface GrpcThreadSetup extends ThreadSetup {
  readonly grpc: GrpcSetup;
  /** Of metrics/rpc-counters.ts. */
  readonly rpcMemory: SharedArrayBuffer;
}

/** A version's handler and what else a thread must know of it before it is routed. */
export interface Announcement {
  readonly name: string;
  readonly version: string;
  readonly spec: HandlerSpec;
  readonly limit: AnswerLimit;
  /** For clients that ask what the model takes. */
  readonly about: ModelInterface;
}

/** What main tells of the models. */
export type News =
  | { readonly type: "handler"; readonly announcement: Announcement }
  | { readonly type: "default" | "withdraw"; readonly name: string; readonly version: string }
  | { readonly type: "unready"; readonly entries: readonly ModelEntry[] };

export type ToThread =
  | (News & { readonly id: number })
  | { readonly type: "managed"; readonly id: number; readonly outcome: ManageOutcome }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "adopt"; readonly fd: number }
  | { readonly type: "renew"; readonly tls: TlsFiles }
  | { readonly type: "drain"; readonly timeoutMs: number };

export interface LogMessage {
  readonly type: "log";
  readonly level: "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type FromThread =
  | { readonly type: "ready"; readonly descriptor: unknown }
  | { readonly type: "renewed"; readonly descriptor: unknown }
  | { readonly type: "notRenewed"; readonly reason: string }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly type: "ack"; readonly id: number }
  /** Of the gRPC thread: answered by "managed". */
  | { readonly type: "manage"; readonly id: number; readonly request: ManageRequest }
  | { readonly type: "drained"; readonly cut: number }
  | { readonly type: "access"; readonly lines: string }
  /** A request has waited for this version to be loaded. */
  | { readonly type: "waited"; readonly name: string; readonly version: string }
  | LogMessage;
