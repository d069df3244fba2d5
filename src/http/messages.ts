/** What main and the HTTP threads say to each other. Plain data: it crosses by structured clone. */

import type { ModelEntry } from "../models/models.js";
import type { HandlerSpec } from "../types.js";
import type { ConnectionLimits } from "./connections.js";
import type { ExchangeLimits } from "./exchange.js";

/** Given to a thread when it starts. */
export interface ThreadSetup {
  /** Its region in the shared state. */
  readonly index: number;
  readonly memory: SharedArrayBuffer;
  /** URL of the module whose `openEngine` gives this process' engine. */
  readonly engineModule: string;
  readonly limits: ThreadLimits;
}

export interface ThreadLimits extends ExchangeLimits, ConnectionLimits {
  readonly maxInflateRatio: number;
  readonly maxImagePixels: number;
  readonly decodeParallelism: number;
}

export type ToThread =
  | {
      readonly type: "handler";
      readonly id: number;
      readonly name: string;
      readonly version: string;
      readonly spec: HandlerSpec;
      readonly responseTimeoutMs: number;
    }
  | { readonly type: "unready"; readonly entries: readonly ModelEntry[] }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "drain"; readonly timeoutMs: number };

export type FromThread =
  | { readonly type: "ready"; readonly descriptor: unknown }
  | { readonly type: "ack"; readonly id: number }
  | { readonly type: "drained"; readonly cut: number }
  | {
      readonly type: "log";
      readonly level: "warn" | "error";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
