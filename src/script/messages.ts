/**
 * What main, the threads that serve and a handler's own thread say to each other. Plain data. Requests go straight from an
 * HTTP or gRPC thread to the handler's thread, by a port that main makes for the two.
 */
import type { MessagePort } from "node:worker_threads";
import type { ErrorCode } from "../errors.js";
import type { AnswerHeaders, Part } from "../handlers/handler.js";
import type { InputSpec, ScriptSpec } from "../types.js";
import type { WireSpan } from "./span.js";
import type { Tallied } from "./tally.js";

/** A request on its way; the parts of HandlerRequest that are data. */
export interface WireRequest {
  readonly id: string;
  readonly span: WireSpan;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly accept: string;
  readonly parts: readonly Part[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly urlPath: string;
  /** Only the model's input is wanted of it. */
  readonly explains: boolean;
  /** The client named the version. */
  readonly named: boolean;
}

export type ToHandler =
  | { readonly ask: number; readonly request: WireRequest; readonly timeoutMs: number }
  | { readonly cancel: number }
  /** A part of the answer has reached the client. */
  | { readonly taken: number };

/** `body` and `input` undefined: it failed, by `code`, or with a status that the handler chose. */
export interface FromHandler {
  readonly ask: number;
  readonly body?: string | Uint8Array | undefined;
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly headers?: AnswerHeaders | undefined;
  readonly code?: ErrorCode | undefined;
  readonly message?: string | undefined;
  /** The model's input of a request that is to be explained, as a frame; "body": the engine reads the body itself. */
  readonly input?: Uint8Array | "body" | undefined;
  /** Of an answer in parts, whose first message has its head. */
  readonly part?: string | Uint8Array | undefined;
  readonly end?: true | undefined;
}

/** Words of a link's shared memory: what the one side must know of the other when that has ended. */
export const linkWords = {
  /** Requests that the handler's thread has taken up, of those that were sent. */
  begun: 0,
  /** The request, counted from 1, whose hook runs and has not returned; 0: none. */
  running: 1,
  /** 1: main ended the thread because a hook did not return. */
  hung: 2,
  count: 3,
} as const;

/** An HTTP or gRPC thread to main: a way to that handler is wanted. */
export interface ToDesk {
  readonly key: string;
}

/** Main's answer: a way, or why there is none. */
export type FromDesk =
  | {
      readonly key: string;
      readonly port: MessagePort;
      readonly link: SharedArrayBuffer;
      /** Shared by all ways to that thread (trial.ts). */
      readonly trial: SharedArrayBuffer;
    }
  | { readonly key: string; readonly code: ErrorCode; readonly message: string };

/** What a handler's thread is told when it starts. */
export interface HandlerSetup {
  /** URL of the module whose `openEngine` gives this process' engine. */
  readonly engineModule: string;
  /** The compiled handler. */
  readonly code: string;
  readonly name: string;
  readonly version: string;
  readonly script: ScriptSpec;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  /** What a process of the handler's own sees of the environment. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** One word that the thread counts up as long as its event loop turns. */
  readonly beat: SharedArrayBuffer;
}

/** A way for another thread; or: say "idle" once no request is there, and take none from then on. */
export type ToGuest =
  | { readonly port: MessagePort; readonly link: SharedArrayBuffer }
  | { readonly drain: true }
  /** Of a handler without a model file, which nobody else would refuse: whether it takes requests. */
  | { readonly takes: boolean };

export type FromGuest =
  | { readonly type: "ready" | "idle" }
  | Tallied
  /** It cannot serve. */
  | { readonly type: "failed"; readonly message: string }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: "metrics";
      /** What is to be added. */
      readonly counts: readonly (readonly [name: string, by: number])[];
      readonly values: readonly (readonly [name: string, value: number])[];
    };

/** How often the handler's thread says that it turns, and looks at its time limits. */
export function beatMs(hookTimeoutMs: number): number {
  return Math.max(10, Math.min(250, Math.floor(hookTimeoutMs / 4)));
}
