/** Rows of the error table as gRPC says them: a status for a call, google.rpc.Status inside a stream. Pure. */

import { type ErrorCode, errorRow } from "../../errors.js";
import { type RpcCall, type RpcStatus, rpcStatus } from "../../rpc.js";
import type { StatusMessage } from "./messages.js";

/** Longest message inside a stream, in characters; a call's status is cut shorter by its header. */
const maxMessage = 4096;

export function statusOf(code: ErrorCode): RpcStatus {
  const name = errorRow(code).grpc;
  return name in rpcStatus ? (name as RpcStatus) : "INTERNAL";
}

/** Ends the call. `x-sconce-error` in the trailers is the table's own code, where several share one status. */
export function failCall(call: RpcCall, code: ErrorCode, message: string): void {
  call.fail(statusOf(code), message, [["x-sconce-error", code]]);
}

/** As TorchServe has it: the error's class in google.rpc.ErrorInfo. */
export function statusMessage(code: ErrorCode, message: string): StatusMessage {
  const reason = errorRow(code).type;
  const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "sconce" }];
  return { code: rpcStatus[statusOf(code)], message: message.slice(0, maxMessage), details };
}
