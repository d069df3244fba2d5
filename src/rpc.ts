/**
 * What `grpc` and the dialects in `api` agree on: gRPC calls as plain, cancel-safe objects. Nothing here imports anything.
 * Thread: a call lives and dies on the thread that accepted its connection.
 */

/** gRPC's status numbers (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const rpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type RpcStatus = keyof typeof rpcStatus;

/** Metadata entries, in order; names are lower case, values printable ASCII. */
export type RpcMetadata = readonly (readonly [name: string, value: string])[];

/** One call. After `end`, `fail` or `gone` everything on it is without effect. */
export interface RpcCall<Answer = object> {
  /** "/package.Service/Method". */
  readonly path: string;
  /** Milliseconds until the client gives up, from now; Infinity: it never does. Never negative. */
  remainingMs(): number;
  /** The first value of a metadata entry, "" when absent. */
  header(name: string): string;
  /** All metadata entries that are text, several values of a name joined by ", ". */
  headers(): Readonly<Record<string, string>>;
  /** Set by the dialect: the client cancelled, went away or its deadline passed. Called once at most, never after the end. */
  gone: (() => void) | undefined;
  send(answer: Answer, metadata?: RpcMetadata): void;
  end(): void;
  fail(status: RpcStatus, message: string, metadata?: RpcMetadata): void;
  /** Streams of requests only: no further message is delivered until `resume`. */
  pause(): void;
  resume(): void;
}

/** What a dialect does with a stream of requests. */
export interface RpcReader<Request = object> {
  message(request: Request): void;
  /** The client has sent all it will send. */
  halfClosed(): void;
  /** The server ends: answer what was taken, then end the call. No further message comes. */
  drain(): void;
}

/** Why a call may not pass. */
export interface RpcRefusal {
  readonly status: RpcStatus;
  readonly message: string;
  readonly metadata?: RpcMetadata;
}

/**
 * Whether a call with this `authorization` may pass; undefined: it may. `reads`: it changes nothing. `counts`: it is a request
 * that limits count; a stream is opened without, and each of its messages counts.
 */
export type RpcGate = (authorization: string, reads: boolean, counts: boolean) => RpcRefusal | undefined;

/** `answers` says how many messages a method sends: exactly one, or any number. */
export type RpcMethod =
  | {
      readonly takes: "one";
      /** It changes nothing; only the management service tells. */
      readonly reads?: boolean;
      readonly answers: "one" | "many";
      readonly start: (request: object, call: RpcCall) => void;
    }
  | { readonly takes: "many"; readonly answers: "many"; readonly open: (call: RpcCall) => RpcReader };

export interface RpcService {
  /** With its package. */
  readonly name: string;
  readonly methods: Readonly<Record<string, RpcMethod>>;
}
