/**
 * HTTP requests for a model that is being loaded wait for it (loads.ts): an exchange is handed on to the dialect behind once the
 * model is served, or its load has failed, or the time is over.
 *
 *   head       of a model that is being loaded: the exchange is kept with what its headers say
 *   body       is kept too
 *
 * Thread: one per HTTP thread.
 */

import type { BodyStore, Dialect, Exchange, WireError, WireErrorCode } from "../wire.js";
import type { Asked, Leave, Loads } from "./loads.js";

export interface LoadWaitOptions {
  readonly loads: Pick<Loads, "busy" | "wait">;
  /** Whose prediction is asked for; undefined: nobody's. During `Dialect.head`. */
  readonly asked: (exchange: Exchange) => Asked | undefined;
  readonly store: Pick<BodyStore, "bodyDrop">;
}

interface Waiting {
  readonly leave: Leave;
  /** `http` may have answered meanwhile, as for a body that is too large, and used the slot for another request. */
  readonly turn: number;
  /** The body is there: in `piece`, or in the body store. */
  complete: boolean;
  piece: ArrayBuffer | undefined;
}

export class LoadWait implements Dialect {
  private readonly waiting = new Map<Exchange, Waiting>();
  private readonly inner: Dialect;
  private readonly options: LoadWaitOptions;

  constructor(inner: Dialect, options: LoadWaitOptions) {
    this.inner = inner;
    this.options = options;
  }

  head(exchange: Exchange): void {
    const { loads, asked } = this.options;
    // Of the slot's last request, which `http` answered.
    this.forget(exchange);
    const wanted = loads.busy ? asked(exchange) : undefined;
    const leave = wanted && loads.wait(wanted, () => this.handOn(exchange));
    if (leave === undefined) {
      this.inner.head(exchange);
      return;
    }
    exchange.keep();
    this.waiting.set(exchange, { leave, turn: exchange.turn, complete: false, piece: undefined });
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    const waiting = this.of(exchange);
    if (waiting === undefined) {
      this.inner.body(exchange, chunk);
      return;
    }
    waiting.complete = true;
    // The chunk is valid during the call only.
    waiting.piece = chunk?.slice(0);
  }

  aborted(exchange: Exchange): void {
    if (!this.forget(exchange)) this.inner.aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.inner.expired(exchange);
  }
  error(code: WireErrorCode, message: string, path: string): WireError {
    return this.inner.error(code, message, path);
  }

  private of(exchange: Exchange): Waiting | undefined {
    // Mostly nothing waits, and this is asked for every request.
    if (this.waiting.size === 0) return undefined;
    const waiting = this.waiting.get(exchange);
    return waiting?.turn === exchange.turn ? waiting : undefined;
  }

  /** Whether it was waiting. */
  private forget(exchange: Exchange): boolean {
    const waits = this.of(exchange) !== undefined;
    if (this.waiting.size > 0) this.waiting.get(exchange)?.leave();
    this.waiting.delete(exchange);
    return waits;
  }

  /** False where it was answered already. */
  private handOn(exchange: Exchange): boolean {
    const waiting = this.of(exchange);
    this.waiting.delete(exchange);
    if (waiting === undefined || !isUnanswered(exchange)) return false;
    this.inner.head(exchange);
    if (!waiting.complete) return true;
    if (isUnanswered(exchange)) this.inner.body(exchange, waiting.piece);
    else if (waiting.piece === undefined) this.options.store.bodyDrop(exchange.cookie);
    return true;
  }
}

/** Asked again after the dialect behind had its say. */
const isUnanswered = (exchange: Exchange): boolean => exchange.unanswered;
