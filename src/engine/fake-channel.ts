/** The fake engine's channel: inline models answer at flush, slow ones after their time by onReady. */

import type { Channel, CompletionSink, InputFormat, OutputFormat, Submitted } from "./engine.js";
import { formatOf, INLINE, isNamed, QUEUED } from "./engine.js";
import type { FakeRoutes } from "./fake.js";
import { type Answer, decode, explain, type FakeModel, type Nested, run } from "./fake-model.js";
import type { ExplainSettings } from "../types.js";

interface Done extends Answer {
  readonly cookie: number;
  readonly model: FakeModel;
}

interface Queued {
  cancelled: boolean;
  readonly timer: NodeJS.Timeout;
}

export class FakeChannel implements Channel {
  readonly #routes: FakeRoutes;
  readonly #onReady: () => void;
  readonly #bodies = new Map<number, Uint8Array[]>();
  readonly #queued = new Map<number, Queued>();
  #turn: (() => Done)[] = [];
  #ready: Done[] = [];
  /** Of the next infer*. */
  #explain: { readonly cookie: number; readonly settings: ExplainSettings } | undefined;
  #error = "";
  #closed = false;

  constructor(routes: FakeRoutes, onReady: () => void) {
    this.#routes = routes;
    this.#onReady = onReady;
  }

  nameId(name: string): number {
    return this.#routes.nameId(name);
  }

  infer(
    cookie: number,
    nameId: number,
    version: string,
    body: ArrayBuffer | Uint8Array,
    input: InputFormat,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted {
    const model = this.#routes.resolve(nameId, version);
    if (this.#closed) return this.#refuse(12, "the channel is closed: its thread is ending");
    if (!("spec" in model)) return this.#refuse(...model);
    if (model.instances === 0) return this.#refuse(11, noWorker(model));
    if (isNamed(version, output)) model.named++;
    const decoded = decode(model, body instanceof ArrayBuffer ? new Uint8Array(body) : body, input);
    if ("code" in decoded) {
      count(model, decoded.code);
      return this.#refuse(decoded.code, decoded.message);
    }
    const asked = this.#explain?.cookie === cookie ? this.#explain.settings : undefined;
    this.#explain = undefined;
    const { samples, instances } = decoded;
    if (asked !== undefined) {
      return this.#start(cookie, model, () => explain(model, samples, instances, asked), timeoutMs, true);
    }
    return this.#start(cookie, model, () => run(model, samples, instances, formatOf(output)), timeoutMs);
  }

  inferImage(
    cookie: number,
    nameId: number,
    version: string,
    pixels: Uint8Array,
    width: number,
    height: number,
    channels: number,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted {
    const model = this.#routes.resolve(nameId, version);
    if (!("spec" in model)) return this.#refuse(...model);
    if (pixels.length !== width * height * channels) {
      return this.#refuse(9, "inferImage: the pixels are not width x height x channels bytes");
    }
    if (isNamed(version, output)) model.named++;
    const sample: Nested = Array.from(pixels, (value) => value / 255);
    return this.#start(cookie, model, () => run(model, [sample], false, formatOf(output)), timeoutMs);
  }

  bodyAppend(cookie: number, chunk: ArrayBuffer): void {
    const chunks = this.#bodies.get(cookie) ?? [];
    chunks.push(new Uint8Array(chunk.slice(0)));
    this.#bodies.set(cookie, chunks);
  }

  bodySize(cookie: number): number {
    return (this.#bodies.get(cookie) ?? []).reduce((sum, chunk) => sum + chunk.length, 0);
  }

  bodyDrop(cookie: number): void {
    this.#bodies.delete(cookie);
  }

  bodyTake(cookie: number): ArrayBuffer {
    const body = new Uint8Array(this.bodySize(cookie));
    let at = 0;
    for (const chunk of this.#bodies.get(cookie) ?? []) {
      body.set(chunk, at);
      at += chunk.length;
    }
    this.#bodies.delete(cookie);
    return body.buffer;
  }

  inferBody(
    cookie: number,
    nameId: number,
    version: string,
    input: InputFormat,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted {
    return this.infer(cookie, nameId, version, this.bodyTake(cookie), input, output, timeoutMs);
  }

  explain(cookie: number, settings: ExplainSettings): void {
    this.#explain = { cookie, settings };
  }

  cancel(cookie: number): void {
    const queued = this.#queued.get(cookie);
    if (queued !== undefined) queued.cancelled = true;
  }

  lastError(): string {
    return this.#error;
  }

  flush(sink: CompletionSink): void {
    const turn = this.#turn;
    this.#turn = [];
    this.#reportAll(
      turn.map((each) => each()),
      sink,
    );
  }

  drain(sink: CompletionSink): void {
    const ready = this.#ready;
    this.#ready = [];
    this.#reportAll(ready, sink);
  }

  close(): void {
    this.#closed = true;
    for (const queued of this.#queued.values()) clearTimeout(queued.timer);
    this.#queued.clear();
    this.#turn = [];
    this.#ready = [];
  }

  #refuse(code: number, message: string): Submitted {
    this.#error = message;
    return -code;
  }

  #start(cookie: number, model: FakeModel, answer: () => Answer, timeoutMs: number, queued = false): Submitted {
    model.inFlight += 1;
    if (!model.lane && !queued) {
      this.#turn.push(() => ({ ...answer(), cookie, model }));
      return INLINE;
    }
    const limit = Math.min(...[timeoutMs, model.spec.responseTimeoutMs].filter((ms) => ms > 0), Infinity);
    const takes = model.behaviour === "slow" ? model.slowMs : 0;
    const finish = (): void => {
      const late: Answer = { code: 13, body: "no answer within the response timeout" };
      const gone: Answer = { code: 14, body: "the client went away" };
      const cancelled = this.#queued.get(cookie)?.cancelled === true;
      this.#queued.delete(cookie);
      this.#ready.push({ ...(cancelled ? gone : limit < takes ? late : answer()), cookie, model });
      this.#onReady();
    };
    this.#queued.set(cookie, { cancelled: false, timer: setTimeout(finish, Math.min(takes, limit)) });
    return QUEUED;
  }

  /** A sink that throws does not take the others' completions with it. */
  #reportAll(all: readonly Done[], sink: CompletionSink): void {
    const failures: unknown[] = [];
    for (const done of all) {
      try {
        this.#report(done, sink);
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #report(done: Done, sink: CompletionSink): void {
    if (this.#closed) return;
    done.model.inFlight -= 1;
    count(done.model, done.code);
    sink(done.cookie, done.code, `${done.model.spec.name}/${done.model.spec.version}`, done.body, done.tensors);
  }
}

function noWorker(model: FakeModel): string {
  return `Model "${model.spec.name}" has no worker to serve inference request. Please use scale workers API to add workers.`;
}

function count(model: FakeModel, code: number): void {
  model.byCode[code] = (model.byCode[code] ?? 0) + 1;
}
