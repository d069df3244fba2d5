/** What a handler's thread and the process that runs its hooks say to each other. Plain data, by Node's IPC. */
import type { ErrorCode } from "../errors.js";
import type { ModelFacts, OutputTensor } from "../handlers/define.js";
import type { AnswerHeaders, TensorIn } from "../handlers/handler.js";
import type { FromGuest, WireRequest } from "./messages.js";
import type { StreamPart } from "./stream.js";

export interface ChildSetup {
  /** The compiled handler. */
  readonly file: string;
  /** What messages call it. */
  readonly shown: string;
  readonly model: ModelFacts;
  readonly config: unknown;
}

export type ToChild =
  | ({ readonly type: "start" } & ChildSetup)
  | {
      readonly type: "preprocess";
      readonly call: number;
      readonly requests: readonly { readonly key: number; readonly wire: WireRequest }[];
    }
  | {
      readonly type: "postprocess";
      readonly call: number;
      /** `wire`: of a request that the process does not have yet. */
      readonly requests: readonly { readonly key: number; readonly wire?: WireRequest }[];
      readonly outputs: readonly (readonly OutputTensor[])[];
    }
  /** All hooks of a handler that has `inference`, one after the other. */
  | {
      readonly type: "answer";
      readonly call: number;
      readonly requests: readonly { readonly key: number; readonly wire?: WireRequest }[];
    }
  /** What the model made of an "infer". */
  | {
      readonly type: "inferred";
      readonly run: number;
      readonly outputs: readonly OutputTensor[];
      readonly failed?: MadeError;
    }
  /** The next part of the request's answer is wanted. */
  | { readonly type: "next"; readonly call: number; readonly key: number }
  /** Nobody waits any more, and: the request is done with, and its answer's parts with it. */
  | { readonly type: "abort" | "forget"; readonly key: number }
  | { readonly type: "ping" };

export interface MadeAnswer {
  /** Undefined: it comes in parts, which are asked for one by one. */
  readonly body?: string | Uint8Array | undefined;
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly headers?: AnswerHeaders | undefined;
}

/** A refusal (status), a fault with a code, or an error in words for the log. */
export interface MadeError {
  readonly status?: number;
  readonly code?: ErrorCode;
  readonly words: string;
}

export type Made =
  | { readonly rows: readonly (readonly TensorIn[])[] }
  | { readonly answer: MadeAnswer }
  /** Undefined: there is none left. */
  | { readonly part: StreamPart | undefined }
  | { readonly error: MadeError };

export type FromChild =
  | {
      readonly type: "started";
      readonly batch: boolean;
      readonly preprocess: boolean;
      readonly inference: boolean;
      readonly postprocess: boolean;
    }
  /** context.infer: the model shall run. */
  | { readonly type: "infer"; readonly run: number; readonly rows: readonly (readonly TensorIn[])[] }
  | { readonly type: "failed"; readonly message: string }
  /** `failed`: the hook did, for all of its requests. */
  | { readonly type: "made"; readonly call: number; readonly made: readonly Made[]; readonly failed?: MadeError }
  | { readonly type: "pong" }
  | Extract<FromGuest, { readonly type: "log" | "metrics" }>;
