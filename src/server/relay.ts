/**
 * Inference and management on one address: an HTTP thread hands the requests that are main's to answer (management, new keys,
 * metrics) over by message, and writes what comes back. Whether a request may pass is main's to say too.
 *
 *   main:   const relay = new RelayDesk(dialectOf, report); relay.open()  → a port for a thread
 *   thread: new RelayedDialect(inference, port, takeBody)
 */

import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Dialect, Exchange, RequestDetails, WireBody, WireError, WireErrorCode, WireHeaders } from "../wire.js";

interface RelayedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly accept: string;
  readonly requestId: string;
  readonly authorization: string;
  readonly body: ArrayBuffer;
}

interface RelayedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: WireBody;
  readonly headers: WireHeaders | undefined;
}

/** `/models…`, `/token`, `/v1/models/…`, `/metrics`: what main answers, but for the predictions among them. */
export function isMains(path: string): boolean {
  return /^\/(?:models|token|metrics|v1\/models)(?:\/|$)/.test(path) && !predicts.test(path);
}

/** What main answers of SageMaker's multi-model API. */
export function isMultiModels(path: string): boolean {
  return /^\/models(?:\/|$)/.test(path) && !predicts.test(path);
}

/** SageMaker's and KServe's names of a prediction. */
const predicts = /^\/(?:models\/[^/]+\/invoke|v1\/models\/[^/:]+(?::|%3a)(?:predict|explain))\/?$/i;

/** Thread: an HTTP thread. */
export class RelayedDialect implements Dialect {
  /** Registrations name their archive there. */
  readonly readsPostQuery = true;
  private readonly inner: Dialect;
  private readonly port: MessagePort;
  private readonly takeBody: (cookie: number) => ArrayBuffer;
  private readonly isMains: (path: string) => boolean;
  private readonly waiting = new Map<number, Exchange>();
  private nextId = 1;

  /** `mains`: which paths main answers. */
  constructor(
    inner: Dialect,
    port: MessagePort,
    takeBody: (cookie: number) => ArrayBuffer,
    mains: (path: string) => boolean = isMains,
  ) {
    this.isMains = mains;
    this.inner = inner;
    this.port = port;
    this.takeBody = takeBody;
    port.on("message", ({ id, answer }: { readonly id: number; readonly answer: RelayedAnswer }) =>
      this.answered(id, answer),
    );
    // An app keeps its thread alive; this does not.
    port.unref();
  }

  head(exchange: Exchange): void {
    if (!this.isMains(exchange.path)) this.inner.head(exchange);
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    if (!this.isMains(exchange.path)) {
      this.inner.body(exchange, chunk);
      return;
    }
    const { method, path, query, contentType, contentEncoding, accept, requestId, authorization } = exchange;
    const body = chunk === undefined ? this.takeBody(exchange.cookie) : chunk.slice(0);
    const text = { method, path, query, contentType, contentEncoding, accept, requestId, authorization };
    const id = this.nextId++;
    exchange.hold();
    this.waiting.set(id, exchange);
    this.port.postMessage({ id, request: { ...text, body } satisfies RelayedRequest });
  }

  aborted(exchange: Exchange): void {
    // What was asked of main is done all the same; its answer finds nobody, and lets the exchange go.
    if (!this.isMains(exchange.path)) this.inner.aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.inner.expired(exchange);
  }
  error(code: WireErrorCode, message: string, path: string): WireError {
    return this.inner.error(code, message, path);
  }

  private answered(id: number, { status, contentType, body, headers }: RelayedAnswer): void {
    const exchange = this.waiting.get(id);
    this.waiting.delete(id);
    exchange?.answer(status, contentType, body, headers);
    exchange?.release();
  }
}

/** Thread: main. */
export class RelayDesk {
  private readonly dialectOf: (path: string) => Dialect;
  private readonly ports: MessagePort[] = [];
  private cookie = 1;

  constructor(dialectOf: (path: string) => Dialect) {
    this.dialectOf = dialectOf;
  }

  /** For one thread. */
  open(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", ({ id, request }: { readonly id: number; readonly request: RelayedRequest }) => {
      const answered = (answer: RelayedAnswer): void => port1.postMessage({ id, answer });
      const exchange = new MemoryExchange(this.cookie++, request, answered);
      const dialect = this.dialectOf(request.path);
      dialect.head(exchange);
      if (!exchange.isAnswered) dialect.body(exchange, request.body);
    });
    port1.unref();
    this.ports.push(port1);
    return port2;
  }

  close(): void {
    for (const port of this.ports) port.close();
  }
}

/** A request whose body is there, answered in one piece. */
class MemoryExchange implements Exchange {
  readonly cookie: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly accept: string;
  readonly requestId: string;
  readonly authorization: string;
  readonly firstByte: number;
  readonly streaming = false;
  readonly turn = 0;
  attachment: unknown = undefined;
  drained: (() => void) | undefined = undefined;
  isAnswered = false;
  private readonly done: (answer: RelayedAnswer) => void;

  constructor(cookie: number, request: RelayedRequest, done: (answer: RelayedAnswer) => void) {
    this.cookie = cookie;
    this.method = request.method;
    this.path = request.path;
    this.query = request.query;
    this.contentType = request.contentType;
    this.contentEncoding = request.contentEncoding;
    this.accept = request.accept;
    this.requestId = request.requestId;
    this.authorization = request.authorization;
    this.firstByte = request.body.byteLength === 0 ? -1 : (new Uint8Array(request.body)[0] ?? -1);
    this.done = done;
  }

  answer(status: number, contentType: string, body: WireBody, headers?: WireHeaders): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.done({ status, contentType, body, headers });
  }
  refuse(status: number, contentType: string, body: WireBody, headers?: WireHeaders): void {
    this.answer(status, contentType, body, headers);
  }
  header(): string {
    return "";
  }
  details(): RequestDetails {
    return { query: this.query, headers: {} };
  }
  keep(): void {
    // What it says it always says.
  }
  get unanswered(): boolean {
    return !this.isAnswered;
  }
  hold(): void {
    // Nothing reuses it.
  }
  release(): void {
    // As above.
  }
  expireAfter(): void {
    // The dialects of main set no time.
  }
  stream(): boolean {
    throw new Error("what main answers comes in one piece");
  }
  write(): boolean {
    return this.stream();
  }
  endStream(): void {
    this.stream();
  }
  cut(): void {
    this.stream();
  }
}
