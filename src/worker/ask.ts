/** What HTTP and gRPC threads say to main about requests for Python workers, and back. Plain data. */
import type { ErrorCode } from "../errors.js";
import type { WorkerAnswer, WorkerRequest } from "./frames.js";

export type ToDesk =
  | {
      readonly type: "ask";
      readonly id: number;
      /** "name/version". */
      readonly model: string;
      readonly request: WorkerRequest;
      readonly timeoutMs: number;
      /** The client named the version. */
      readonly named: boolean;
    }
  /** Nobody waits for it any more. */
  | { readonly type: "cancel"; readonly id: number };

export type FromDesk =
  | { readonly type: "answer"; readonly id: number; readonly answer: WorkerAnswer; readonly more: boolean }
  | {
      readonly type: "fail";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly status?: number;
    };

/** The bytes in memory of their own, which may be given away. */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return bytes as Uint8Array<ArrayBuffer>;
  return new Uint8Array(bytes);
}
