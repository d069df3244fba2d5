/**
 * What a serving handler answers with: keeps it to one answer per request, whatever the handler does and however late.
 * The call is held until the reply is over, by an answer or because nobody waits any more.
 */

import { type ErrorCode, ServerError } from "../errors.js";
import type { Answer, AnswerHead, Reply } from "../handlers/handler.js";
import { cleanHead } from "./answer-head.js";
import type { Call } from "./call.js";

export class CallReply implements Reply {
  private readonly call: Call;
  /** "name/version". */
  private readonly model: string;
  private readonly finished: () => void;
  private head: AnswerHead = {};
  private over = false;
  /** The call was let go. */
  private let = false;
  private started = false;
  private full = false;
  private waiting: (() => void)[] = [];

  /** `finished` is called once, when the call is not needed any more. */
  constructor(call: Call, model: string, finished: () => void) {
    this.call = call;
    this.model = model;
    this.finished = finished;
  }

  answer(answer: Answer): void {
    if (this.over) return;
    if (this.started) {
      this.fail("internal", "The handler gave a whole answer after it had begun one in parts.");
      return;
    }
    this.guarded(() => {
      const head = cleanHead(answer, typeof answer.body === "string");
      this.close();
      this.call.reply(this.model, head, answer.body);
    });
  }

  open(head: AnswerHead): void {
    if (!this.over && !this.started) this.head = head;
  }

  part(bytes: Uint8Array): boolean {
    if (this.over) return true;
    this.guarded(() => {
      if (!this.start()) return;
      // An empty chunk would be the end of the stream.
      if (bytes.length > 0) this.full = !this.call.part(bytes);
    });
    // A part that could not be sent ended it.
    return !this.full;
  }

  ready(): Promise<void> {
    if (this.over || !this.full) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  end(): void {
    if (this.over) return;
    this.guarded(() => {
      if (!this.start()) return;
      this.close();
      this.call.end();
    });
  }

  fail(code: ErrorCode, message: string, cause?: unknown): void {
    if (this.over) return;
    this.close();
    this.call.fail(code, message, cause);
    this.done();
  }

  /** The client is gone, or was told 504. */
  cancelled(): void {
    if (this.over) return;
    this.close();
    this.done();
  }

  private start(): boolean {
    if (this.started) return true;
    this.started = true;
    this.call.drained = () => this.drained();
    return this.call.open(this.model, cleanHead(this.head, false));
  }

  private drained(): void {
    this.full = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private close(): void {
    this.over = true;
    this.call.drained = undefined;
    this.drained();
  }

  /** A head that cannot be sent is the handler's fault, and fails its request. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.over) this.done();
      if (error instanceof ServerError) this.fail(error.code, error.message, error.cause);
      else this.fail("internal", "The handler's answer could not be sent; the server's log has the reason.", error);
      return;
    }
    if (this.over) this.done();
  }

  private done(): void {
    if (this.let) return;
    this.let = true;
    this.finished();
  }
}
