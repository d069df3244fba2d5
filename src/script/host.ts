/**
 * The order of one request on its handler's thread: preprocess → engine → postprocess → answer. A hook of its own for each
 * request, or one for all that wait together; what fails fails its request alone. Thread: the handler's.
 */
import { type Channel, InputFormat, OutputFormat, type TensorOut, unnamed } from "../engine/engine.js";
import { type ErrorCode, nativeErrorCode, ServerError } from "../errors.js";
import type { Context, HandlerDefinition, ModelInput, OutputTensor, Request } from "../handlers/define.js";
import type { ScriptSpec } from "../types.js";
import { noWorkers } from "../worker/policy.js";
import { Attempts } from "./attempts.js";
import { answerOf, frameOf, isHandlerError, lookable, outputsOf } from "./convert.js";
import { type FromHandler, linkWords, type ToHandler } from "./messages.js";
import { HookRequest } from "./request.js";
import { type RunDone, Runs } from "./runs.js";
import { Stream, streamedOf } from "./stream.js";
import type { Tally } from "./tally.js";

/** One thread's requests: its port, as far as it is needed here. */
export interface Link {
  readonly words: Int32Array;
  say(answer: FromHandler): void;
}

export interface HostOptions {
  readonly handler: HandlerDefinition;
  readonly context: Context;
  readonly script: Pick<ScriptSpec, "hookTimeoutMs" | "maxBatch">;
  readonly openChannel: (onReady: () => void) => Channel;
  /** What a client is not told: the hook's own error. */
  readonly report: (hook: string, request: Request, error: unknown) => void;
  /** Of a model whose requests nobody else counts. */
  readonly tally?: Tally;
  /** The request is done with. */
  readonly forget?: (request: HookRequest) => void;
}

interface Job {
  readonly link: Link;
  readonly ask: number;
  /** Its place among the link's requests, counted from 1. */
  readonly order: number;
  readonly request: HookRequest;
  readonly timeoutMs: number;
  readonly since: number;
  /** In the engine; -1: it is not there. */
  run: number;
  outputs: readonly OutputTensor[];
  stream: Stream | undefined;
  over: boolean;
}

type Hook = "preprocess" | "postprocess";

const okCode = 0;

export class Host {
  private readonly options: HostOptions;
  private readonly runs: Runs;
  private readonly attempts: Attempts;
  private readonly taken = new Map<Link, Map<number, Job>>();
  /** Of a batch-aware handler: what waits for each hook. */
  private readonly waiting: Readonly<Record<Hook, Job[]>> = { preprocess: [], postprocess: [] };
  private gathering = false;
  /** Requests that are not done with. */
  private open = 0;
  private idle: (() => void) | undefined;
  private drained = false;
  /** False: requests are refused, as the model has no worker. */
  takes = true;

  constructor(options: HostOptions) {
    this.options = options;
    this.attempts = new Attempts(options.script.hookTimeoutMs);
    this.runs = new Runs(options.openChannel, options.context.model);
  }

  /** Something came by a link. */
  take(link: Link, message: ToHandler): void {
    const asked = this.taken.get(link) ?? new Map<number, Job>();
    this.taken.set(link, asked);
    if ("taken" in message) {
      asked.get(message.taken)?.stream?.taken();
      return;
    }
    if ("cancel" in message) {
      const job = asked.get(message.cancel);
      if (job !== undefined) this.cancel(job);
      return;
    }
    // The door sends it to the next thread when this one ends.
    if (this.drained) return;
    this.open++;
    const { ask, request, timeoutMs } = message;
    const order = Atomics.add(link.words, linkWords.begun, 1) + 1;
    const plain = new HookRequest(request, this.options.context.log);
    const start = { since: performance.now(), run: -1, outputs: [], stream: undefined, over: false };
    const job: Job = { link, ask, order, request: plain, timeoutMs, ...start };
    asked.set(ask, job);
    const { handler } = this.options;
    if (!this.takes) this.say(job, { ask, code: "not_ready", message: noWorkers });
    else if (request.explains && ownInference(handler))
      this.say(job, { ask, code: "not_implemented", message: unexplained });
    else if (request.explains && handler.preprocess === undefined) this.say(job, { ask, input: "body" });
    else if (handler.preprocess === undefined) {
      const own = ownInference(handler);
      this.guarded(job, "inference", () => (own ? this.inference(job, plain) : this.submitBody(job)));
    } else this.due("preprocess", job);
  }

  /** The link's thread is gone. */
  drop(link: Link): void {
    for (const job of this.taken.get(link)?.values() ?? []) this.cancel(job);
    this.taken.delete(link);
  }

  /** Calls `idle` once no request is here; what comes after that is not begun. */
  drain(idle: () => void): void {
    this.idle = idle;
    this.lookIdle();
  }

  private lookIdle(): void {
    if (this.open > 0 || this.idle === undefined || this.drained) return;
    this.drained = true;
    this.idle();
  }

  /** Looks at the time limits. */
  tick(): void {
    this.attempts.expire();
  }

  private cancel(job: Job): void {
    job.request.abort();
    this.done(job, "cancelled");
    job.stream?.cancel();
    if (job.run >= 0) this.runs.cancel(job.run);
  }

  /** Requests that are here. */
  get requests(): number {
    return this.open;
  }

  private done(job: Job, code: ErrorCode, bytes = 0): void {
    if (job.over) return;
    job.over = true;
    this.open--;
    this.taken.get(job.link)?.delete(job.ask);
    this.options.forget?.(job.request);
    const { body, wire } = job.request;
    this.options.tally?.add(code, performance.now() - job.since, body.length, bytes, wire.named);
    if (this.idle !== undefined) setImmediate(() => this.lookIdle());
  }

  private due(hook: Hook, job: Job): void {
    if (this.options.handler.batch === true) {
      this.waiting[hook].push(job);
      if (this.gathering) return;
      this.gathering = true;
      setImmediate(() => {
        this.gathering = false;
        this.runGathered("postprocess");
        this.runGathered("preprocess");
      });
      return;
    }
    const { handler, context } = this.options;
    const call =
      hook === "preprocess"
        ? () => handler.preprocess?.(job.request, context)
        : () => handler.postprocess?.(job.outputs, job.request, context);
    this.attempt(
      hook,
      job,
      call,
      (made) => this.made(hook, job, made),
      (error) => this.raised(job, hook, error),
    );
  }

  private attempt(
    hook: Hook | "inference" | "answer",
    first: Job,
    call: () => unknown,
    then: (made: unknown) => void,
    fail: (error: unknown) => void,
  ): void {
    const { words } = first.link;
    const events = {
      entered: () => void Atomics.store(words, linkWords.running, first.order),
      left: () => void Atomics.store(words, linkWords.running, 0),
    };
    this.attempts.run(hook, events, call, then, fail);
  }

  private made(hook: Hook, job: Job, made: unknown): void {
    if (job.over) return;
    const { handler } = this.options;
    if (hook === "preprocess" && job.request.explains) this.say(job, { ask: job.ask, input: frameOf(made) });
    else if (hook === "preprocess" && ownInference(handler)) this.inference(job, made);
    else if (hook === "preprocess") this.submit(job, frameOf(made), InputFormat.tensors);
    else this.answer(job, made);
  }

  private runGathered(hook: Hook): void {
    const jobs = this.waiting[hook].splice(0).filter((job) => !job.over);
    const { maxBatch } = this.options.script;
    for (let from = 0; from < jobs.length; from += maxBatch) this.runTogether(hook, jobs.slice(from, from + maxBatch));
  }

  private runTogether(hook: Hook, jobs: readonly Job[]): void {
    const { handler, context } = this.options;
    const [first] = jobs;
    if (first === undefined || handler.batch !== true) return;
    const requests = jobs.map(({ request }) => request);
    const outputs = jobs.map((job) => job.outputs);
    const call =
      hook === "preprocess"
        ? () => handler.preprocess?.(requests, context)
        : () => handler.postprocess?.(outputs, requests, context);
    const fail = (error: unknown): void => {
      // Whose fault it was is found out by asking each alone.
      if (jobs.length === 1) this.raised(first, hook, error);
      else for (const job of jobs) if (!job.over) this.runTogether(hook, [job]);
    };
    this.attempt(hook, first, call, (made) => this.sortOut(hook, jobs, made), fail);
  }

  /** Throws for what is no list of as many entries. */
  private sortOut(hook: Hook, jobs: readonly Job[], made: unknown): void {
    if (!Array.isArray(made) || made.length !== jobs.length) {
      const got = Array.isArray(made) ? `${made.length} entries` : typeof made;
      const words = `The handler's ${hook} gave ${got} for ${jobs.length} requests; expected a list with one entry for each.`;
      throw new ServerError("handler_failed", words);
    }
    jobs.forEach((job, i) => {
      const entry: unknown = made[i];
      this.guarded(job, hook, () => {
        if (entry instanceof Error) throw entry;
        this.made(hook, job, entry);
      });
    });
  }

  /** As base_handler reads it: JSON, .npy or raw bytes, by content type or first byte. */
  private submitBody(job: Job): void {
    const { body, contentType } = job.request;
    const first = body[0] ?? -1;
    const json = /^application\/json\b/i.test(contentType) || first === openBrace || first === openBracket;
    const input = json ? InputFormat.json : first === npyFirstByte ? InputFormat.npy : InputFormat.raw;
    this.submit(job, body, input);
  }

  private submit(job: Job, body: Uint8Array, input: InputFormat): void {
    const output = this.options.handler.postprocess === undefined ? OutputFormat.json : OutputFormat.tensors;
    const counted = job.request.wire.named ? output : unnamed(output);
    job.run = this.runs.start(body, input, counted, job.timeoutMs, (code, made, tensors) => {
      job.run = -1;
      if (!job.over) this.guarded(job, "inference", () => this.completed(job, code, made, tensors));
    });
  }

  private completed(
    job: Job,
    code: number,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): void {
    if (code === okCode && this.options.handler.postprocess === undefined) {
      const answer = typeof body === "string" ? body : new Uint8Array(body);
      this.say(job, { ask: job.ask, body: answer, contentType: "application/json" });
    } else {
      job.outputs = this.outputs(code, body, tensors);
      this.due("postprocess", job);
    }
  }

  private outputs(
    code: number,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): readonly OutputTensor[] {
    if (code !== okCode) {
      throw new ServerError(nativeErrorCode(code), typeof body === "string" ? body : Buffer.from(body).toString());
    }
    if (typeof body === "string" || tensors === undefined) {
      throw new ServerError("internal", "The engine gave no tensors to the handler.");
    }
    return outputsOf(body, tensors, this.options.context.model.outputs);
  }

  /** The handler's own way to the model, for its inference hook. */
  infer(input: ModelInput): Promise<readonly OutputTensor[]> {
    return new Promise((resolve, reject) => {
      const done: RunDone = (code, body, tensors) => {
        try {
          resolve(this.outputs(code, body, tensors));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      this.runs.start(frameOf(input), InputFormat.tensors, unnamed(OutputFormat.tensors), 0, done);
    });
  }

  /** The handler's inference instead of the engine's. */
  private inference(job: Job, input: unknown): void {
    const { handler, context } = this.options;
    if (handler.batch === true) return;
    const then = (made: unknown): void => {
      if (job.over) return;
      if (handler.postprocess === undefined) this.answer(job, made);
      else {
        job.outputs = made as readonly OutputTensor[];
        this.due("postprocess", job);
      }
    };
    const call = (): unknown => handler.inference?.(input, job.request, context);
    this.attempt("inference", job, call, then, (error) => this.raised(job, "inference", error));
  }

  private answer(job: Job, made: unknown): void {
    const streamed = streamedOf(made);
    if (streamed === undefined) {
      this.say(job, answerOf(job.ask, made));
      return;
    }
    job.stream = new Stream(job.ask, streamed, {
      say: (message) => job.link.say(message),
      step: (call, then, fail) => this.attempt("answer", job, call, then, fail),
      ended: () => this.done(job, "ok"),
      failed: (error) => this.raised(job, "answer", error),
    });
  }

  private guarded(job: Job, hook: Hook | "inference", work: () => void): void {
    try {
      work();
    } catch (error) {
      this.raised(job, hook, error);
    }
  }

  private raised(job: Job, hook: Hook | "inference" | "answer", thrown: unknown): void {
    if (job.over) return;
    const { ask } = job;
    const error = lookable(thrown);
    if (isHandlerError(error)) {
      this.say(job, { ask, status: error.status, message: error.message });
    } else if (error instanceof ServerError) this.say(job, { ask, code: error.code, message: error.message });
    else {
      this.options.report(hook, job.request, error);
      const message = `The handler's ${hook} failed; the server's log has the reason.`;
      this.say(job, { ask, code: "handler_failed", message });
    }
  }

  private say(job: Job, answer: FromHandler): void {
    const { code, body, input, status = 200 } = answer;
    const refused = status < 500 ? "bad_request" : "handler_failed";
    const length = body?.length;
    job.link.say(answer); // throws where the answer's memory was given away; the request is then still to be answered
    this.done(job, code ?? (body === undefined && input === undefined ? refused : "ok"), length);
  }
}

export function ownInference(handler: HandlerDefinition): boolean {
  return handler.batch !== true && handler.inference !== undefined;
}

const unexplained =
  "The handler has an inference hook of its own, so there is no one run of the model to explain; explanations take handlers with preprocess and postprocess alone.";

const openBrace = 0x7b;
const openBracket = 0x5b;
const npyFirstByte = 0x93;
