/**
 * An answer in parts from an async iterator: as many parts under way as the client's thread takes, each within the hook's
 * time limit; the iterator is told when nobody waits any more. Thread: the handler's.
 */
import { ServerError } from "../errors.js";
import type { Answer } from "../handlers/define.js";
import { bodyOf, isAnswer } from "./convert.js";
import type { FromHandler } from "./messages.js";

/** Parts that were sent and not yet taken by the client. */
export const maxUntakenParts = 8;

interface Head {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: FromHandler["headers"];
}

export interface Streamed {
  readonly parts: AsyncIterable<unknown>;
  readonly head: Head;
}

/** Undefined: the answer is whole. */
export function streamedOf(made: unknown): Streamed | undefined {
  if (isAsyncIterable(made)) return { parts: made, head: {} };
  if (!isAnswer(made) || !isAsyncIterable(made.body)) return undefined;
  const { status, contentType, headers }: Answer = made;
  const type = contentType === undefined ? {} : { contentType };
  return { parts: made.body, head: { status, ...type, headers: Object.entries(headers) } };
}

function isAsyncIterable(made: unknown): made is AsyncIterable<unknown> {
  return typeof made === "object" && made !== null && Symbol.asyncIterator in made;
}

export interface StreamOwner {
  say(message: FromHandler): void;
  /** One step of the iterator, as a hook. */
  step(call: () => unknown, then: (made: unknown) => void, fail: (error: unknown) => void): void;
  ended(): void;
  failed(error: unknown): void;
}

/** Text as it is, bytes as they are, all else as a line of JSON. */
export class Stream {
  private readonly ask: number;
  private readonly iterator: AsyncIterator<unknown>;
  private readonly owner: StreamOwner;
  private head: Head | undefined;
  private untaken = 0;
  private working = false;
  private over = false;

  constructor(ask: number, { parts, head }: Streamed, owner: StreamOwner) {
    this.ask = ask;
    this.iterator = parts[Symbol.asyncIterator]();
    this.owner = owner;
    this.head = head;
    this.next();
  }

  /** The client has taken a part. */
  taken(): void {
    this.untaken--;
    this.next();
  }

  /** Nobody waits any more. */
  cancel(): void {
    if (this.over) return;
    this.over = true;
    // Its clean-up is the handler's affair.
    void Promise.resolve(this.iterator.return?.()).catch(() => undefined);
  }

  private next(): void {
    if (this.working || this.over || this.untaken >= maxUntakenParts) return;
    this.working = true;
    this.owner.step(
      () => this.iterator.next(),
      (made) => this.made(made as IteratorResult<unknown>),
      (error) => this.failed(error),
    );
  }

  private made({ done, value }: IteratorResult<unknown>): void {
    this.working = false;
    if (this.over) return;
    if (done === true) {
      this.over = true;
      this.owner.say({ ask: this.ask, ...this.opening("application/octet-stream"), end: true });
      this.owner.ended();
      return;
    }
    const { part, usual } = partOf(value);
    this.untaken++;
    this.owner.say({ ask: this.ask, ...this.opening(usual), part });
    this.next();
  }

  /** Only the first message has it. */
  private opening(usual: string): Head {
    const { head } = this;
    this.head = undefined;
    return head === undefined ? {} : { contentType: usual, ...head };
  }

  private failed(error: unknown): void {
    if (this.over) return;
    this.cancel();
    this.owner.failed(error);
  }
}

/** One part as it is sent, and the type of an answer that has no other. */
export interface StreamPart {
  readonly part: string | Uint8Array;
  readonly usual: string;
}

/** A part that was made in the handler's own process. */
export class MadePart {
  readonly made: StreamPart;

  constructor(made: StreamPart) {
    this.made = made;
  }
}

/** Throws ServerError handler_failed for what can be no part. */
export function partOf(value: unknown): StreamPart {
  if (value instanceof MadePart) return value.made;
  if (typeof value === "string") return { part: value, usual: "text/plain; charset=utf-8" };
  if (value instanceof Uint8Array) return { part: value, usual: "application/octet-stream" };
  if (value === undefined) throw new ServerError("handler_failed", "The handler's answer has a part that is nothing.");
  return { part: `${bodyOf(value).body as string}\n`, usual: "application/x-ndjson" };
}
