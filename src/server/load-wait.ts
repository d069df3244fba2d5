/**
 * Requests for a model that is being loaded wait for it, as in TorchServe: an exchange is handed on once the model is served,
 * or its load has failed, or the time is over; the dialect behind then answers as it always would.
 *
 *   head       of a model that is being loaded: the exchange is kept with what its headers say
 *   body       is kept too
 *   look       to be called when the models have changed
 *
 * Thread: one per HTTP thread.
 */

import type { BodyStore, Dialect, Exchange, WireError, WireErrorCode } from "../wire.js";

/** Waiting requests of one HTTP thread; more are answered at once. */
export const maxWaiting = 1000;

export interface Asked {
  readonly name: string;
  /** "": the default one. */
  readonly version: string;
}

export interface LoadWaitOptions {
  readonly loadWaitMs: number;
  /** Whose prediction a path asks for; undefined: nobody's. */
  readonly asked: (path: string) => Asked | undefined;
  /** Whether anything is being loaded; asked for every request. */
  readonly busy: () => boolean;
  /** Whether a load must be over before this can be answered. */
  readonly loading: (asked: Asked) => boolean;
  /** A request has waited for a model that is served now. */
  readonly waited: (asked: Asked) => void;
  readonly served: (asked: Asked) => boolean;
  readonly store: Pick<BodyStore, "bodyDrop">;
}

interface Waiting {
  readonly asked: Asked;
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
    const asked = this.options.busy() ? this.mustWait(exchange) : undefined;
    if (asked === undefined) {
      this.inner.head(exchange);
      return;
    }
    exchange.keep();
    this.waiting.set(exchange, { asked, turn: exchange.turn, complete: false, piece: undefined });
  }

  private of(exchange: Exchange): Waiting | undefined {
    // Mostly nothing waits, and this is asked for every request.
    if (this.waiting.size === 0) return undefined;
    const waiting = this.waiting.get(exchange);
    return waiting?.turn === exchange.turn ? waiting : undefined;
  }

  private mustWait(exchange: Exchange): Asked | undefined {
    const { asked, loading } = this.options;
    if (this.waiting.size >= maxWaiting) return undefined;
    const found = asked(exchange.path);
    return found !== undefined && loading(found) ? found : undefined;
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
    exchange.expireAfter(this.options.loadWaitMs);
  }

  /** Hands on what need not wait any more. */
  look(): void {
    for (const [exchange, { asked }] of this.waiting) {
      if (this.options.loading(asked)) continue;
      if (this.handOn(exchange) && this.options.served(asked)) this.options.waited(asked);
    }
  }

  /** False where it was answered already. */
  private handOn(exchange: Exchange): boolean {
    const waiting = this.of(exchange);
    this.waiting.delete(exchange);
    if (waiting === undefined || !isUnanswered(exchange)) return false;
    if (waiting.complete) exchange.expireAfter(Infinity);
    this.inner.head(exchange);
    if (!waiting.complete) return true;
    if (isUnanswered(exchange)) this.inner.body(exchange, waiting.piece);
    else if (waiting.piece === undefined) this.options.store.bodyDrop(exchange.cookie);
    return true;
  }

  aborted(exchange: Exchange): void {
    const waits = this.of(exchange) !== undefined;
    this.waiting.delete(exchange);
    if (!waits) this.inner.aborted(exchange);
  }

  /** Nothing serves it yet, as the dialect behind says. */
  expired(exchange: Exchange): void {
    if (this.of(exchange) !== undefined) this.handOn(exchange);
    else this.inner.expired(exchange);
  }

  error(code: WireErrorCode, message: string, path: string): WireError {
    return this.inner.error(code, message, path);
  }
}

/** Asked again after the dialect behind had its say. */
const isUnanswered = (exchange: Exchange): boolean => exchange.unanswered;
