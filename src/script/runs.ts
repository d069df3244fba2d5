/** Runs of the model for a handler: a thread's channel to the engine with a callback for each run. Thread: the handler's. */
import {
  type Channel,
  type CompletionSink,
  INLINE,
  type InputFormat,
  type OutputFormat,
  type TensorOut,
} from "../engine/engine.js";
import { nativeErrorCode, ServerError } from "../errors.js";

/** `code` 0: it went well; else `body` says what is wrong. */
export type RunDone = (code: number, body: string | ArrayBuffer, tensors: readonly TensorOut[] | undefined) => void;

const maxCookie = 2 ** 32;

export class Runs {
  private readonly name: string;
  private readonly version: string;
  private readonly channel: Channel;
  private readonly open = new Map<number, RunDone>();
  private next = 0;
  private flushing = false;
  private readonly sink: CompletionSink = (cookie, code, _model, body, tensors) => {
    const done = this.open.get(cookie);
    this.open.delete(cookie);
    done?.(code, body, tensors);
  };

  constructor(
    openChannel: (onReady: () => void) => Channel,
    { name, version }: { readonly name: string; readonly version: string },
  ) {
    this.name = name;
    this.version = version;
    this.channel = openChannel(() => this.channel.drain(this.sink));
  }

  /** Names the run for `cancel`. `output` may be `unnamed`. Throws ServerError when it is refused. */
  start(body: Uint8Array, input: InputFormat, output: OutputFormat, timeoutMs: number, done: RunDone): number {
    const cookie = this.next;
    this.next = (this.next + 1) % maxCookie;
    const nameId = this.channel.nameId(this.name);
    if (nameId < 0) throw new ServerError("not_ready", `Model ${this.name} is not served yet.`);
    const how = this.channel.infer(cookie, nameId, this.version, body, input, output, timeoutMs);
    if (how < 0) throw new ServerError(nativeErrorCode(-how), this.channel.lastError());
    this.open.set(cookie, done);
    if (how === INLINE && !this.flushing) {
      this.flushing = true;
      setImmediate(() => {
        this.flushing = false;
        this.channel.flush(this.sink);
      });
    }
    return cookie;
  }

  cancel(cookie: number): void {
    if (this.open.delete(cookie)) this.channel.cancel(cookie);
  }
}
