/**
 * What `http` and the dialects in `api` agree on: a plain, abort-safe exchange. Nothing here imports anything.
 * Thread: an exchange lives and dies on the thread that accepted its connection.
 */

/** Words for a response body: text, or bytes that the server may keep until they are written. */
export type WireBody = string | ArrayBuffer | Uint8Array;

/** Header fields of an answer, in order; values never hold line breaks. */
export type WireHeaders = readonly (readonly [name: string, value: string])[];

/** What of a request is only kept where somebody asks for it. */
export interface RequestDetails {
  /** Without the question mark; "" without a query. */
  readonly query: string;
  /** Names in lower case, several values joined by ", "; empty when they were not asked for. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One request and its one answer. The object is reused after the answer: keep no reference to it beyond that. */
export interface Exchange {
  /** Names the request in the engine; unique among the exchanges in flight on this thread. */
  readonly cookie: number;
  /** As sent: upper case. */
  readonly method: string;
  /** Undecoded, without the query. */
  readonly path: string;
  readonly query: string;
  /** Header values as sent, "" when absent. */
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly accept: string;
  /** The client's x-request-id where it is fit to be repeated, or one made here; "" without. */
  readonly requestId: string;
  /** Never logged. */
  readonly authorization: string;
  /** A header's value by its lower-case name, "" when absent. During `Dialect.head` only; "" later. */
  header(name: string): string;
  /** First byte of the body, -1 when it is empty. */
  readonly firstByte: number;
  /** What the dialect keeps with this slot; it survives the request, so that it can be reused. */
  attachment: unknown;

  /** Answers 504 through `Dialect.expired` when nothing was answered within `ms` from now. */
  expireAfter(ms: number): void;
  /** The engine knows the cookie: the slot is not reused before `release`. */
  hold(): void;
  release(): void;
  /**
   * Answers; without effect when the client is gone or an answer was given. `contentType` may be a prebuilt block of
   * several header lines ("application/json\r\nx-a: b").
   */
  answer(status: number, contentType: string, body: WireBody, headers?: WireHeaders, close?: boolean): void;
  /**
   * Same, once the rest of the body has been read and dropped (the connection then stays usable). A body longer than
   * the discard limit is not waited for, and the connection closes.
   */
  refuse(status: number, contentType: string, body: WireBody, headers?: WireHeaders, close?: boolean): void;

  /** Only during `Dialect.head`. */
  details(headers: boolean): RequestDetails;
  /** During `Dialect.head`: what `header` and `details` say, they say later too. */
  keep(): void;
  /** Nothing was answered, refused or begun yet. */
  readonly unanswered: boolean;
  /** Which request of this slot it is: another number, another request. */
  readonly turn: number;
  /**
   * Begins an answer whose length is not known yet; then `write` any number of times and `endStream`, or `cut`. False
   * when there is nothing to write: the client is gone, was answered, or asked by HEAD (which is answered by this).
   */
  stream(status: number, contentType: string, headers?: WireHeaders): boolean;
  /** Between `stream` and its end. */
  readonly streaming: boolean;
  /** Never empty. False: the client has not taken all of it; `drained` is called once it has. */
  write(chunk: Uint8Array): boolean;
  drained: (() => void) | undefined;
  endStream(): void;
  /** The answer that was begun cannot be finished: the connection closes, so that the client sees it is cut. */
  cut(): void;
}

/** One wire protocol on one port. Calls come from the thread's event loop, never nested for one exchange. */
export interface Dialect {
  /** Whether the query of every POST is read into `query`; elsewhere it always is. */
  readonly readsPostQuery?: boolean;
  /** The headers are read; nothing of the body is. May refuse. */
  head(exchange: Exchange): void;
  /** The whole body is there: `chunk` when it came in one piece (valid during the call only), else gathered in the body store. */
  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void;
  /** The client went away. Nothing can be answered any more. */
  aborted(exchange: Exchange): void;
  /** The time given to `expireAfter` is over. */
  expired(exchange: Exchange): void;
  /** An answer for what `http` itself refuses, as this protocol writes errors. */
  error(code: WireErrorCode, message: string, path: string): WireError;
}

export interface WireError {
  readonly status: number;
  readonly body: string;
  /** "": no content type is sent; absent: JSON's. */
  readonly contentType?: string;
}

export type WireErrorCode =
  | "bad_framing"
  | "payload_too_large"
  | "request_timeout"
  | "internal"
  | "out_of_memory"
  | "draining"
  | "not_found"
  | "invalid_key"
  | "unauthorized"
  | "forbidden"
  | "rate_limited";

/** Where bodies that come in pieces are gathered; `Channel` of the engine's interface is one. */
export interface BodyStore {
  bodyAppend(cookie: number, chunk: ArrayBuffer): void;
  bodySize(cookie: number): number;
  bodyDrop(cookie: number): void;
}
