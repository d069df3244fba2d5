/** Several protocols on one port, told apart by the path. Thread: the one of its port. */

import type { Dialect, Exchange, WireError, WireErrorCode } from "../wire.js";

const letterV = 0x76;
const digit2 = 0x32;
const slash = 0x2f;

/** "/v2" and what is under it. Character by character: it runs for every request. */
export function isV2(path: string): boolean {
  if (path.charCodeAt(1) !== letterV || path.charCodeAt(2) !== digit2) return false;
  return path.length === 3 || path.charCodeAt(3) === slash;
}

/** What has no protocol of its own for models that answer by themselves: their bodies are the handler's, under any path. */
export interface Rest extends Dialect {
  serves(path: string): boolean;
}

export class ByPath implements Dialect {
  private readonly rest: Rest;
  private readonly v2: Dialect;
  /** By cookie: requests under /v2 that the rest answers, from their head on. */
  private readonly taken: (boolean | undefined)[] = [];

  constructor(rest: Rest, v2: Dialect) {
    this.rest = rest;
    this.v2 = v2;
  }

  head(exchange: Exchange): void {
    const { path, cookie } = exchange;
    if (isV2(path)) this.taken[cookie] = this.rest.serves(path);
    this.of(exchange).head(exchange);
  }
  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    this.of(exchange).body(exchange, chunk);
  }
  aborted(exchange: Exchange): void {
    this.of(exchange).aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.of(exchange).expired(exchange);
  }
  error(code: WireErrorCode, message: string, path: string): WireError {
    return (isV2(path) ? this.v2 : this.rest).error(code, message, path);
  }

  private of({ path, cookie }: Exchange): Dialect {
    return isV2(path) && this.taken[cookie] !== true ? this.v2 : this.rest;
  }
}
