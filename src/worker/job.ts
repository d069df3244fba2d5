/** One request on its way through a pool. Main thread. */
import type { ErrorCode } from "../errors.js";
import type { WorkerAnswer, WorkerRequest } from "./frames.js";

/** Takes what becomes of a request: answers until one without `more`, or a failure. */
export interface JobSink {
  answer(answer: WorkerAnswer, more: boolean): void;
  /** `status`: what the handler itself said, where the error table has no row for it. */
  fail(code: ErrorCode, message: string, status?: number): void;
}

export interface Job {
  readonly request: WorkerRequest;
  readonly sink: JobSink;
  /** performance.now() when it came. */
  readonly arrived: number;
  /** performance.now() after which nobody waits for it. */
  readonly deadline: number;
  /** Its client named the version. */
  readonly named: boolean;
  /** From its arrival to the start of its batch; 0: it has not come into one. */
  waitedMs: number;
  /** Nobody waits any more. */
  cancelled: boolean;
  /** It failed in company and is run once more without. */
  alone: boolean;
  /** Part of its answer was sent. */
  begun: boolean;
}

export function createJob(request: WorkerRequest, sink: JobSink, timeoutMs: number, named = false): Job {
  const arrived = performance.now();
  const deadline = timeoutMs > 0 ? arrived + timeoutMs : Number.POSITIVE_INFINITY;
  return { request, sink, arrived, deadline, named, waitedMs: 0, cancelled: false, alone: false, begun: false };
}

export function bytesOf({ parameters }: WorkerRequest): number {
  return parameters.reduce((sum, { value }) => sum + value.byteLength, 0);
}
