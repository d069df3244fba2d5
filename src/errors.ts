/**
 * Every error a client or operator can meet, once. A row's place is its number in native code (native/core/status.h);
 * rows after `nativeCount` are TypeScript's own. docs/errors.md is generated from this table.
 */

export interface ErrorRow {
  readonly code: string;
  readonly http: number;
  /** TorchServe's Java class name, the `type` of its error body. */
  readonly type: string;
  /** gRPC status name. */
  readonly grpc: string;
  /** The connection cannot be used again: framing is in doubt or a body stays unread. */
  readonly closes: boolean;
  readonly help: string;
}

function row(code: string, http: number, type: string, grpc: string, help: string, closes = false): ErrorRow {
  return { code, http, type, grpc, closes, help };
}

export const errorTable = [
  row("ok", 200, "", "OK", "The request was answered."),
  row(
    "bad_request",
    400,
    "BadRequestException",
    "INVALID_ARGUMENT",
    "The request's bytes or tensors are not what the model declares; the message says what was expected and got.",
  ),
  row("model_not_found", 404, "ModelNotFoundException", "NOT_FOUND", "No model of this name is registered."),
  row("version_not_found", 404, "ModelVersionNotFoundException", "NOT_FOUND", "The model has no such version."),
  row(
    "not_acceptable",
    406,
    "NotAcceptableException",
    "INVALID_ARGUMENT",
    "The format asked for by `Accept` cannot hold this result.",
  ),
  row(
    "payload_too_large",
    413,
    "RequestEntityTooLargeException",
    "RESOURCE_EXHAUSTED",
    "The body, raw or decoded, is over `--max-request-size`.",
    true,
  ),
  row(
    "unsupported_media_type",
    415,
    "UnsupportedMediaTypeException",
    "INVALID_ARGUMENT",
    "The content type or encoding is not one the server reads.",
  ),
  row("model_error", 500, "InternalServerException", "INTERNAL", "The model raised while it ran."),
  row(
    "bad_output",
    500,
    "InternalServerException",
    "INTERNAL",
    "The model returned something that cannot be split per sample.",
  ),
  row("internal", 500, "InternalServerException", "INTERNAL", "A fault of the server; the log has the cause."),
  row(
    "queue_full",
    503,
    "ServiceUnavailableException",
    "UNAVAILABLE",
    "As many requests wait for the model as `jobQueueSize` allows.",
  ),
  row(
    "not_ready",
    503,
    "ServiceUnavailableException",
    "UNAVAILABLE",
    "The model is loading, failed to load or is being unloaded.",
  ),
  row("draining", 503, "ServiceUnavailableException", "UNAVAILABLE", "The server is shutting down."),
  row(
    "deadline_exceeded",
    504,
    "RequestTimeoutException",
    "DEADLINE_EXCEEDED",
    "No answer within `--response-timeout` (or the model's `responseTimeout`).",
  ),
  row("cancelled", 499, "RequestCancelledException", "CANCELLED", "The client went away before the answer."),
  row(
    "out_of_memory",
    507,
    "OutOfMemoryError",
    "RESOURCE_EXHAUSTED",
    "Memory ran out while the request was held or run.",
  ),
  row(
    "invalid_model",
    400,
    "InvalidModelException",
    "INVALID_ARGUMENT",
    "The archive or model file does not load; the message has the reason.",
  ),
  row("conflict", 409, "ConflictStatusException", "ALREADY_EXISTS", "The model version is registered already."),
  row(
    "not_implemented",
    501,
    "NotImplementedException",
    "UNIMPLEMENTED",
    "This model cannot be asked that, for instance a compiled package for an explanation; the message has the reason.",
  ),
  row(
    "device_lost",
    503,
    "ServiceUnavailableException",
    "UNAVAILABLE",
    "The device that the model runs on is out of service; the message has its reason, and the server must be started anew.",
  ),
  row(
    "download_failed",
    400,
    "DownloadArchiveException",
    "INVALID_ARGUMENT",
    "An archive could not be fetched from its URL; the message has the reason.",
  ),
  row("not_found", 404, "ResourceNotFoundException", "UNIMPLEMENTED", "The path is not part of the API."),
  row(
    "method_not_allowed",
    405,
    "MethodNotAllowedException",
    "UNIMPLEMENTED",
    "The path exists but not with this verb; `Allow` lists the verbs.",
  ),
  row(
    "bad_framing",
    400,
    "BadRequestException",
    "INVALID_ARGUMENT",
    "The request's length cannot be told for sure: two lengths, or a transfer coding other than exactly `chunked`.",
    true,
  ),
  row(
    "request_timeout",
    408,
    "RequestTimeoutException",
    "DEADLINE_EXCEEDED",
    "The request's body did not arrive in time.",
    true,
  ),
  row(
    "client_timeout",
    504,
    "RequestTimeoutException",
    "DEADLINE_EXCEEDED",
    "No answer within the model's `clientTimeoutInMills`, after which its clients do not wait.",
  ),
  row(
    "invalid_key",
    400,
    "InvalidKeyException",
    "PERMISSION_DENIED",
    "`--compat torchserve`: the request's `Authorization: Bearer …` has not the key that the key file holds now.",
  ),
  row(
    "unauthorized",
    401,
    "InvalidKeyException",
    "UNAUTHENTICATED",
    "`--compat sconce`: the request's `Authorization: Bearer …` has not the key that the key file holds now.",
  ),
  row(
    "forbidden",
    403,
    "ForbiddenException",
    "PERMISSION_DENIED",
    "The token's role (`--tokens-file`) does not cover what was asked; the message says which would.",
  ),
  row(
    "rate_limited",
    429,
    "TooManyRequestsException",
    "RESOURCE_EXHAUSTED",
    "The token is over its limit in the `--tokens-file`; `Retry-After` (gRPC: `grpc-retry-pushback-ms`) says when to come back.",
  ),
  row(
    "default_version",
    403,
    "InvalidModelVersionException",
    "FAILED_PRECONDITION",
    "A model's default version goes last: make another version the default first.",
  ),
  row(
    "incompatible",
    409,
    "IncompatibleVersionException",
    "FAILED_PRECONDITION",
    "The version takes or gives something else than the default version; the message has the difference, `force=true` does it all the same.",
  ),
  row(
    "busy",
    503,
    "ServiceUnavailableException",
    "UNAVAILABLE",
    "As many registrations are under way as the server takes at once.",
  ),
  row(
    "store_timeout",
    503,
    "ServiceUnavailableException",
    "UNAVAILABLE",
    "The model store does not answer, as a dead network mount, within `--store-timeout`; or an archive in it could not be read within its startup timeout. What serves goes on.",
  ),
  row(
    "no_workers",
    500,
    "InternalServerException",
    "INTERNAL",
    "The model did not load, so no instance of it can be started; the message has the reason.",
  ),
  row(
    "prediction_failed",
    503,
    "InternalServerException",
    "UNAVAILABLE",
    "A Python handler raised, or gave something that is no list with one entry per request; the log has its traceback.",
  ),
  row(
    "worker_died",
    500,
    "InternalServerException",
    "INTERNAL",
    "What ran the handler, a Python worker or a thread, ended while it had the request; the log has the reason, and another one is started.",
  ),
  row(
    "handler_failed",
    500,
    "InternalServerException",
    "INTERNAL",
    "A hook of a handler in TypeScript threw, or gave what is no answer; the log has its stack.",
  ),
  row(
    "handler_timeout",
    504,
    "RequestTimeoutException",
    "DEADLINE_EXCEEDED",
    "A hook of a handler in TypeScript did not end within `--hook-timeout` (or the model's `sconce.handler.hookTimeout`).",
  ),
  row(
    "unload_timeout",
    408,
    "RequestTimeoutException",
    "DEADLINE_EXCEEDED",
    "An unregistered model still runs requests after `--unload-timeout`; it goes when they have ended.",
  ),
  row(
    "headers_too_large",
    431,
    "RequestHeaderFieldsTooLargeException",
    "RESOURCE_EXHAUSTED",
    "A header or all of them together are over the limit.",
    true,
  ),
] as const satisfies readonly ErrorRow[];

export type ErrorCode = (typeof errorTable)[number]["code"];

/** Rows that native code can report: native/core/status.h `kCodeCount`. */
export const nativeCount = 20;

const internalIndex = 9;
const byCode = new Map<string, ErrorRow>(errorTable.map((each) => [each.code, each]));

export function errorRow(code: ErrorCode): ErrorRow {
  return byCode.get(code) ?? errorTable[internalIndex];
}

/** The row of a native code number; anything unknown is internal. */
export function nativeErrorCode(index: number): ErrorCode {
  const found = index > 0 && index < nativeCount ? errorTable[index] : undefined;
  return found?.code ?? "internal";
}

/** A row's place, which counters go by. */
export function errorIndex(code: ErrorCode): number {
  return errorTable.findIndex((each) => each.code === code);
}

/** The code of a place; anything unknown is internal. */
export function errorCodeAt(index: number): ErrorCode {
  return errorTable[index]?.code ?? "internal";
}

/** The one error class that crosses module borders. `message` is for the client; `cause` is only logged. */
export class ServerError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "ServerError";
    this.code = code;
  }
  get row(): ErrorRow {
    return errorRow(this.code);
  }
}
