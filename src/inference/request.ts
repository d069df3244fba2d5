/** A request as its handler sees it, made only for handlers that look at requests. */

import type { HandlerRequest, Part } from "../handlers/handler.js";

/** What a dialect knows of a request. */
export type RequestFacts = Omit<HandlerRequest, "onAbort" | "state" | "named">;

export class PlainRequest implements HandlerRequest {
  readonly id: string;
  readonly body: Uint8Array;
  readonly bodyName?: string;
  readonly contentType: string;
  readonly accept: string;
  readonly parts: readonly Part[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly urlPath: string;
  readonly explains: boolean;
  named = false;
  state: unknown = undefined;
  private step: (() => void) | undefined;
  private aborted = false;

  constructor(facts: RequestFacts) {
    this.id = facts.id;
    this.body = facts.body;
    if (facts.bodyName !== undefined) this.bodyName = facts.bodyName;
    this.contentType = facts.contentType;
    this.accept = facts.accept;
    this.parts = facts.parts;
    this.headers = facts.headers;
    this.parameters = facts.parameters;
    this.urlPath = facts.urlPath;
    this.explains = facts.explains;
  }

  onAbort(step: () => void): void {
    if (this.aborted) step();
    else this.step = step;
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.step?.();
  }
}

/** The parameters of a query as sent. */
export function parametersOf(query: string): Readonly<Record<string, string>> {
  return query === "" ? none : Object.fromEntries(new URLSearchParams(query));
}

const none: Readonly<Record<string, string>> = {};
