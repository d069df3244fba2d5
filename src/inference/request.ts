/** A request as its handler sees it, made only for handlers that look at requests. */

import type { HandlerRequest, Part } from "../handlers/handler.js";

/** What a dialect knows of a request. */
export type RequestFacts = Omit<HandlerRequest, "signal" | "state">;

export class PlainRequest implements HandlerRequest {
  readonly id: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly accept: string;
  readonly parts: readonly Part[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly urlPath: string;
  readonly explains: boolean;
  state: unknown = undefined;
  private controller: AbortController | undefined;
  private aborted = false;

  constructor(facts: RequestFacts) {
    this.id = facts.id;
    this.body = facts.body;
    this.contentType = facts.contentType;
    this.accept = facts.accept;
    this.parts = facts.parts;
    this.headers = facts.headers;
    this.parameters = facts.parameters;
    this.urlPath = facts.urlPath;
    this.explains = facts.explains;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.aborted) this.controller.abort();
    return this.controller.signal;
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    this.aborted = true;
    this.controller?.abort();
  }
}

/** The parameters of a query as sent. */
export function parametersOf(query: string): Readonly<Record<string, string>> {
  return query === "" ? none : Object.fromEntries(new URLSearchParams(query));
}

const none: Readonly<Record<string, string>> = {};
