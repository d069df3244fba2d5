/**
 * The order of one request on its handler's thread: preprocess → engine → postprocess → answer. A hook of its own for each
 * request, or one for all that wait together; what fails fails its request alone. Thread: the handler's.
 */
import {
  type Channel,
  type CompletionSink,
  INLINE,
  InputFormat,
  OutputFormat,
  type TensorOut,
} from "../engine/engine.js";
import { nativeErrorCode, ServerError } from "../errors.js";
import type { Context, HandlerDefinition, OutputTensor } from "../handlers/define.js";
import type { ScriptSpec } from "../types.js";
import { Attempts } from "./attempts.js";
import { answerOf, frameOf, isHandlerError, outputsOf } from "./convert.js";
import { type FromHandler, linkWords, type ToHandler } from "./messages.js";
import { HookRequest } from "./request.js";

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
  readonly report: (hook: string, request: string, error: unknown) => void;
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
  /** Of its run in the engine; -1 before. */
  cookie: number;
  outputs: readonly OutputTensor[];
  over: boolean;
}

type Hook = "preprocess" | "postprocess";

const okCode = 0;
const maxCookie = 2 ** 32;

export class Host {
  private readonly options: HostOptions;
  private readonly channel: Channel;
  private readonly attempts: Attempts;
  private readonly inEngine = new Map<number, Job>();
  private readonly taken = new Map<Link, Map<number, Job>>();
  /** Of a batch-aware handler: what waits for each hook. */
  private readonly waiting: Readonly<Record<Hook, Job[]>> = { preprocess: [], postprocess: [] };
  private nextCookie = 0;
  private flushing = false;
  private gathering = false;
  private readonly sink: CompletionSink = (cookie, code, _model, body, tensors) =>
    this.completed(cookie, code, body, tensors);

  constructor(options: HostOptions) {
    this.options = options;
    this.attempts = new Attempts(options.script.hookTimeoutMs);
    this.channel = options.openChannel(() => this.channel.drain(this.sink));
  }

  /** Something came by a link. */
  take(link: Link, message: ToHandler): void {
    const asked = this.taken.get(link) ?? new Map<number, Job>();
    this.taken.set(link, asked);
    if ("cancel" in message) {
      const job = asked.get(message.cancel);
      if (job !== undefined) this.cancel(job);
      return;
    }
    const { ask, request, timeoutMs } = message;
    const order = Atomics.add(link.words, linkWords.begun, 1) + 1;
    const plain = new HookRequest(request);
    const job = { link, ask, order, request: plain, timeoutMs, cookie: -1, outputs: [], over: false };
    asked.set(ask, job);
    if (this.options.handler.preprocess === undefined) this.guarded(job, "preprocess", () => this.submitBody(job));
    else this.due("preprocess", job);
  }

  /** The link's thread is gone. */
  drop(link: Link): void {
    for (const job of this.taken.get(link)?.values() ?? []) this.cancel(job);
    this.taken.delete(link);
  }

  /** Looks at the time limits. */
  tick(): void {
    this.attempts.expire();
  }

  private cancel(job: Job): void {
    job.request.abort();
    this.done(job);
    if (job.cookie >= 0 && this.inEngine.has(job.cookie)) this.channel.cancel(job.cookie);
  }

  private done(job: Job): void {
    job.over = true;
    this.taken.get(job.link)?.delete(job.ask);
    this.options.forget?.(job.request);
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
    hook: Hook,
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
    if (hook === "preprocess") this.submit(job, frameOf(made), InputFormat.tensors);
    else this.say(job, answerOf(job.ask, made));
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
    const { handler, context } = this.options;
    const { name, version } = context.model;
    const output = handler.postprocess === undefined ? OutputFormat.json : OutputFormat.tensors;
    job.cookie = this.nextCookie;
    this.nextCookie = (this.nextCookie + 1) % maxCookie;
    const nameId = this.channel.nameId(name);
    if (nameId < 0) throw new ServerError("not_ready", `Model ${name} is not served yet.`);
    const how = this.channel.infer(job.cookie, nameId, version, body, input, output, job.timeoutMs);
    if (how < 0) throw new ServerError(nativeErrorCode(-how), this.channel.lastError());
    this.inEngine.set(job.cookie, job);
    if (how !== INLINE || this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      this.channel.flush(this.sink);
    });
  }

  private completed(
    cookie: number,
    code: number,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): void {
    const job = this.inEngine.get(cookie);
    this.inEngine.delete(cookie);
    if (job === undefined || job.over) return;
    if (code !== okCode) {
      const message = typeof body === "string" ? body : Buffer.from(body).toString();
      this.say(job, { ask: job.ask, code: nativeErrorCode(code), message });
    } else if (this.options.handler.postprocess === undefined) {
      const answer = typeof body === "string" ? body : new Uint8Array(body);
      this.say(job, { ask: job.ask, body: answer, contentType: "application/json" });
    } else if (typeof body === "string" || tensors === undefined) {
      this.say(job, { ask: job.ask, code: "internal", message: "The engine gave no tensors to the handler." });
    } else {
      job.outputs = outputsOf(body, tensors, this.options.context.model.outputs);
      this.due("postprocess", job);
    }
  }

  private guarded(job: Job, hook: Hook, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.raised(job, hook, error);
    }
  }

  private raised(job: Job, hook: Hook, error: unknown): void {
    if (job.over) return;
    const { ask } = job;
    if (isHandlerError(error)) {
      this.say(job, { ask, status: error.status, message: error.message });
    } else if (error instanceof ServerError) this.say(job, { ask, code: error.code, message: error.message });
    else {
      this.options.report(hook, job.request.id, error);
      const message = `The handler's ${hook} failed; the server's log has the reason.`;
      this.say(job, { ask, code: "handler_failed", message });
    }
  }

  private say(job: Job, answer: FromHandler): void {
    this.done(job);
    job.link.say(answer);
  }
}

const openBrace = 0x7b;
const openBracket = 0x5b;
const npyFirstByte = 0x93;
