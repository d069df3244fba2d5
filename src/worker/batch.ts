/**
 * A batch that a worker has: its frames become its jobs' answers. What fails as a whole is told apart from what each
 * request did, so that the pool can run the members again one by one. Main thread.
 */
import type { ErrorCode } from "../errors.js";
import type { WorkerAnswer, WorkerFrame } from "./frames.js";
import type { Job } from "./job.js";

/** The header by which a worker says that more is to come. */
const streamHeader = "ts_stream_next";
const ok = 200;

/** Why a whole batch failed. */
export interface BatchFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The handler's own, where the error table has no row for it. */
  readonly status?: number;
}

export interface BatchEvents {
  /** The last answer of a job; bytes of the body. */
  readonly answered: (job: Job, bytes: number) => void;
  readonly failed: (jobs: readonly Job[], failure: BatchFailure) => void;
}

export class Batch {
  readonly jobs: readonly Job[];
  readonly started = performance.now();
  private readonly open: Map<string, Job>;
  private readonly events: BatchEvents;

  constructor(jobs: readonly Job[], events: BatchEvents) {
    this.jobs = jobs;
    this.events = events;
    this.open = new Map(jobs.map((job) => [job.request.id, job]));
  }

  /** Whether more frames are to come. */
  frame({ code, message, answers }: WorkerFrame): boolean {
    if (code !== ok) {
      this.fail(failureOf(code, message));
      return false;
    }
    for (const answer of answers) this.answer(answer);
    const more = answers.some((answer) => this.open.has(answer.id));
    if (!more && this.open.size > 0) {
      this.fail({ code: "bad_output", message: "The worker left this request out of its answer." });
    }
    return more;
  }

  /** All that is still open. */
  fail(failure: BatchFailure): void {
    const left = [...this.open.values()];
    this.open.clear();
    if (left.length > 0) this.events.failed(left, failure);
  }

  private answer(answer: WorkerAnswer): void {
    const job = this.open.get(answer.id);
    if (job === undefined) return;
    const next = answer.headers.find(([name]) => name === streamHeader)?.[1];
    const more = next === "true";
    if (!job.cancelled) job.sink.answer(answer, more);
    job.begun = true;
    if (more) return;
    this.open.delete(answer.id);
    this.events.answered(job, answer.body.byteLength);
  }
}

/** TorchServe's codes for a whole batch; a handler's PredictionException may bring any other. */
export function failureOf(code: number, message: string): BatchFailure {
  if (code === 503) return { code: "prediction_failed", message };
  if (code === 507 || code === 413) return { code: "out_of_memory", message };
  return { code: code >= 400 && code < 500 ? "bad_request" : "model_error", message, status: code };
}
