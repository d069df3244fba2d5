/**
 * Runs hooks that may throw, return, settle later or never: each attempt ends once, well or badly, at the latest after its
 * time limit. Thread: the handler's.
 */
import { types } from "node:util";
import { ServerError } from "../errors.js";

interface Attempt {
  readonly hook: string;
  readonly since: number;
  readonly fail: (error: unknown) => void;
}

export interface AttemptEvents {
  /** A hook begins, and has returned; it may still be at work then. */
  readonly entered: () => void;
  readonly left: () => void;
}

export class Attempts {
  private readonly limitMs: number;
  private readonly now: () => number;
  private readonly open = new Set<Attempt>();

  constructor(limitMs: number, now: () => number = () => performance.now()) {
    this.limitMs = limitMs;
    this.now = now;
  }

  /** `then` gets what the hook made; whatever it throws is the hook's failure, too. */
  run(
    hook: string,
    { entered, left }: AttemptEvents,
    call: () => unknown,
    then: (made: unknown) => void,
    fail: (e: unknown) => void,
  ): void {
    entered();
    let made: unknown;
    try {
      made = call();
      if (!types.isPromise(made)) then(made);
    } catch (error) {
      fail(error);
      return;
    } finally {
      left();
    }
    if (types.isPromise(made)) this.wait(hook, made, then, fail);
  }

  /** Called now and then. */
  expire(): void {
    const now = this.now();
    for (const attempt of this.open) {
      // The oldest first.
      if (now - attempt.since < this.limitMs) return;
      this.open.delete(attempt);
      const words = `The handler's ${attempt.hook} did not settle within ${this.limitMs} ms (--hook-timeout, or the model's sconce.handler.hookTimeout).`;
      attempt.fail(new ServerError("handler_timeout", words));
    }
  }

  private wait(
    hook: string,
    made: Promise<unknown>,
    then: (made: unknown) => void,
    fail: (error: unknown) => void,
  ): void {
    const attempt: Attempt = { hook, since: this.now(), fail };
    this.open.add(attempt);
    made.then(
      (value) => {
        if (!this.open.delete(attempt)) return;
        try {
          then(value);
        } catch (error) {
          fail(error);
        }
      },
      (error: unknown) => {
        if (this.open.delete(attempt)) fail(error);
      },
    );
  }
}
