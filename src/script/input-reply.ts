/** Takes what a handler makes the model's input of, where that is all that is wanted of it. Thread: one that serves. */
import { type ErrorCode, ServerError } from "../errors.js";
import type { Answer, Packed, Refused, Reply } from "../handlers/handler.js";

export class InputReply implements Reply {
  private readonly resolve: (made: Packed | Refused) => void;
  private readonly reject: (error: ServerError) => void;

  constructor(resolve: (made: Packed | Refused) => void, reject: (error: ServerError) => void) {
    this.resolve = resolve;
    this.reject = reject;
  }

  input(packed: Packed["packed"]): void {
    this.resolve({ packed });
  }

  /** Only refusals come so. */
  answer(refused: Answer): void {
    this.resolve({ refused });
  }

  fail(code: ErrorCode, message: string, cause?: unknown): void {
    this.reject(new ServerError(code, message, { cause }));
  }

  /** Nobody waits any more. */
  gone(): void {
    this.fail("cancelled", "Nobody waits for the answer any more.");
  }

  open(): void {
    // What follows the head of an answer in parts is refused.
  }
  part(): boolean {
    this.end();
    return true;
  }
  ready(): Promise<void> {
    return Promise.resolve();
  }
  end(): void {
    this.fail("internal", "The handler answered where the model's input was asked for.");
  }
}
