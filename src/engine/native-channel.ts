/**
 * A thread's channel on the addon's functions: packs arguments on the way in, unpacks completions on the way out. Runs
 * for every request, so it makes no objects but the answer's string. Used on the thread that opened it.
 */

import { ServerError } from "../errors.js";
import { dtypes, explainMethods, type ExplainSettings, integralRules } from "../types.js";
import type { Channel, CompletionSink, InputFormat, OutputFormat, Submitted, TensorOut } from "./engine.js";

/** What native/node/channel_binding.cc puts on the object that openChannel returns. Numbers as in report.h. */
export interface ChannelFunctions {
  infer(
    cookie: number,
    nameId: number,
    body: ArrayBuffer | Uint8Array,
    formats: number,
    timeoutMs: number,
    version?: string,
  ): number;
  inferBody(cookie: number, nameId: number, formats: number, timeoutMs: number, version: string): number;
  inferImage(
    cookie: number,
    nameId: number,
    pixels: Uint8Array,
    width: number,
    height: number,
    channels: number,
    formats: number,
    timeoutMs: number,
    version: string,
  ): number;
  explain(cookie: number, settings: Float64Array): number;
  lastError(): string;
  nameId(name: string): number;
  bodyAppend(cookie: number, chunk: ArrayBuffer): number;
  bodySize(cookie: number): number;
  bodyTake(cookie: number): ArrayBuffer;
  bodyDrop(cookie: number): void;
  cancel(cookie: number): void;
  flush(): Packed;
  drain(): Packed;
  close(): void;
}

/** Nothing but numbers in `meta`, the packed text, or the packed text and then values. */
type Packed = undefined | string | readonly [text: string, ...values: (ArrayBuffer | Float64Array | string)[]];

const headerWords = 2;
const recordWords = 6;
const kindText = 0;
const kindTensors = 2;
/** Room for as many completions as one crossing reports. */
export const metaWords = headerWords + 512 * recordWords;

/** The longest timeout that fits the crossing (49 days). */
const maxTimeoutMs = 0xffff_ffff;

export class NativeChannel implements Channel {
  readonly #native: ChannelFunctions;
  readonly #meta: Uint32Array;
  readonly #tagName: (tag: number) => string;
  readonly #tags: string[] = [];
  readonly #ids = new Map<string, number>();
  #reporting = false;
  #again = false;
  #closed = false;

  constructor(native: ChannelFunctions, meta: Uint32Array, tagName: (tag: number) => string) {
    this.#native = native;
    this.#meta = meta;
    this.#tagName = tagName;
  }

  nameId(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#native.nameId(name);
    if (id >= 0) this.#ids.set(name, id);
    return id;
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
    const formats = input | (output << 4);
    const timeout = timeoutMs < maxTimeoutMs ? timeoutMs : maxTimeoutMs;
    if (version === "") return this.#native.infer(cookie, nameId, body, formats, timeout);
    return this.#native.infer(cookie, nameId, body, formats, timeout, version);
  }

  bodyAppend(cookie: number, chunk: ArrayBuffer): void {
    if (this.#native.bodyAppend(cookie, chunk) !== 0) throw new ServerError("out_of_memory", this.lastError());
  }

  bodySize(cookie: number): number {
    return this.#native.bodySize(cookie);
  }

  bodyDrop(cookie: number): void {
    this.#native.bodyDrop(cookie);
  }

  bodyTake(cookie: number): ArrayBuffer {
    return this.#native.bodyTake(cookie);
  }

  inferBody(
    cookie: number,
    nameId: number,
    version: string,
    input: InputFormat,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted {
    return this.#native.inferBody(cookie, nameId, input | (output << 4), Math.min(timeoutMs, maxTimeoutMs), version);
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
    const timeout = Math.min(timeoutMs, maxTimeoutMs);
    return this.#native.inferImage(cookie, nameId, pixels, width, height, channels, output << 4, timeout, version);
  }

  explain(cookie: number, settings: ExplainSettings): void {
    if (this.#native.explain(cookie, packSettings(settings)) !== 0) throw new ServerError("internal", this.lastError());
  }

  cancel(cookie: number): void {
    this.#native.cancel(cookie);
  }

  lastError(): string {
    return this.#native.lastError();
  }

  flush(sink: CompletionSink): void {
    this.#report(sink, true);
  }

  drain(sink: CompletionSink): void {
    this.#report(sink, false);
  }

  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  /** Crosses until nothing waits. A sink that calls flush or drain itself only makes the loop go round once more. */
  #report(sink: CompletionSink, turn: boolean): void {
    if (this.#reporting) {
      this.#again = true;
      return;
    }
    this.#reporting = true;
    const failures: unknown[] = [];
    try {
      let more = this.#unpack(turn ? this.#native.flush() : this.#native.drain(), sink, failures);
      while (more || this.#again) {
        this.#again = false;
        more = this.#unpack(this.#native.flush(), sink, failures);
        more = this.#unpack(this.#native.drain(), sink, failures) || more;
      }
    } finally {
      this.#reporting = false;
    }
    if (failures.length > 0) throw failures[0];
  }

  /** True when native code has more to report. A sink that throws does not take the others' completions with it. */
  #unpack(packed: Packed, sink: CompletionSink, failures: unknown[]): boolean {
    if (this.#isClosed()) return false;
    const meta = this.#meta;
    const end = headerWords + (meta[0] ?? 0) * recordWords;
    const more = meta[1] !== 0;
    const text = typeof packed === "string" ? packed : (packed?.[0] ?? "");
    for (let at = headerWords; at < end; at += recordWords) {
      try {
        this.#deliver(at, text, packed, sink);
      } catch (failure) {
        failures.push(failure);
      }
      if (this.#isClosed()) return false;
    }
    return more;
  }

  #deliver(at: number, text: string, packed: Packed, sink: CompletionSink): void {
    const meta = this.#meta;
    const cookie = meta[at] ?? 0;
    const code = meta[at + 1] ?? 0;
    const tag = meta[at + 2] ?? 0;
    const a = meta[at + 4] ?? 0;
    const model = this.#tags[tag] ?? this.#learn(tag);
    if (meta[at + 3] === kindText) {
      sink(cookie, code, model, text.substring(a, a + (meta[at + 5] ?? 0)), undefined);
      return;
    }
    const values = packed as Exclude<Packed, string | undefined>;
    const tensors = meta[at + 3] === kindTensors ? readTensors(values[a + 2] as Float64Array) : undefined;
    sink(cookie, code, model, values[a + 1] as string | ArrayBuffer, tensors);
  }

  /** A sink may close the channel; then nothing more is reported. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #learn(tag: number): string {
    const name = this.#tagName(tag);
    this.#tags[tag] = name;
    return name;
  }
}

function packSettings({ method, rule, steps, target, ...rest }: ExplainSettings): Float64Array {
  return Float64Array.of(
    explainMethods.indexOf(method),
    integralRules.indexOf(rule),
    steps,
    target === "predicted" ? 1 : 0,
    rest.baseline,
    rest.batch,
    ...rest.window,
    ...rest.stride,
    rest.detail ? 1 : 0,
    ...(target === "predicted" ? [] : target),
  );
}

/** dtype, offset, bytes, dimensions, sizes… per leaf. */
function readTensors(numbers: Float64Array): readonly TensorOut[] {
  const tensors: TensorOut[] = [];
  let at = 0;
  while (at < numbers.length) {
    const [dtype = 0, offset = 0, bytes = 0, dimensions = 0] = numbers.subarray(at, at + 4);
    at += 4;
    const shape = Array.from(numbers.subarray(at, at + dimensions));
    at += dimensions;
    tensors.push({ dtype: dtypes[dtype] ?? "float32", shape, offset, bytes });
  }
  return tensors;
}
