/**
 * Calls that may never return, as those to a dead network file system: whoever asks waits so long and no longer, and only so
 * many of them are under way. A call cannot be taken back; it keeps its place, and its thread of libuv's pool, until it
 * returns. So what hangs costs at most `places` of that pool's threads, and the others go on for everybody else.
 *
 *   const calls = new BoundedCalls(1);
 *   const found = await calls.run(() => realpath(path), { what: "the model store", timeoutMs: 10_000 });
 */
import { ServerError } from "../errors.js";

export interface Bound {
  /** What an error says did not answer. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export class BoundedCalls {
  private readonly places: number;
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly closing = new AbortController();

  /** `places`: calls under way at once; a call makes one file system request at a time. */
  constructor(places: number) {
    this.places = places;
  }

  /**
   * What the call gives. Rejects with ServerError store_timeout after `timeoutMs`, waiting for a place included; with
   * cancelled as soon as `signal` is aborted or the calls are closed. What the call gives later is dropped.
   */
  async run<T>(call: () => Promise<T>, bound: Bound): Promise<T> {
    const ended = AbortSignal.any([this.closing.signal, ...(bound.signal ? [bound.signal] : [])]);
    if (ended.aborted) throw cancelled();
    return new Promise<T>((resolve, reject) => {
      const enter = (): void => {
        this.running++;
        // A place is given up by the call alone, however long ago everybody stopped waiting for it.
        void call()
          .then(done(resolve), done(reject))
          .finally(() => this.leave());
      };
      const stop = (error: ServerError): void => {
        const at = this.waiting.indexOf(enter);
        if (at >= 0) this.waiting.splice(at, 1);
        done(reject)(error);
      };
      const onAbort = (): void => stop(cancelled());
      const timer = setTimeout(() => stop(this.late(bound, this.waiting.includes(enter))), bound.timeoutMs);
      const done =
        <V>(settle: (value: V) => void) =>
        (value: V): void => {
          clearTimeout(timer);
          ended.removeEventListener("abort", onAbort);
          settle(value);
        };
      ended.addEventListener("abort", onAbort);
      if (this.running < this.places) enter();
      else this.waiting.push(enter);
    });
  }

  /** Nobody waits any more: at the end of the process. */
  close(): void {
    this.closing.abort();
  }

  private leave(): void {
    this.running--;
    if (this.running < this.places) this.waiting.shift()?.();
  }

  private late({ what, timeoutMs }: Bound, waited: boolean): ServerError {
    const stuck = waited ? `; ${this.running} earlier call${this.running === 1 ? " has" : "s have"} not returned` : "";
    return new ServerError("store_timeout", `${what} did not answer within ${timeoutMs / 1000} s${stuck}`);
  }
}

function cancelled(): ServerError {
  return new ServerError("cancelled", "nobody waits for it any more");
}
