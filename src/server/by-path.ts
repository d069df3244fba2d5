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

export class ByPath implements Dialect {
  private readonly rest: Dialect;
  private readonly v2: Dialect;

  constructor(rest: Dialect, v2: Dialect) {
    this.rest = rest;
    this.v2 = v2;
  }

  head(exchange: Exchange): void {
    this.of(exchange.path).head(exchange);
  }
  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    this.of(exchange.path).body(exchange, chunk);
  }
  aborted(exchange: Exchange): void {
    this.of(exchange.path).aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.of(exchange.path).expired(exchange);
  }
  error(code: WireErrorCode, message: string, path: string): WireError {
    return this.of(path).error(code, message, path);
  }

  private of(path: string): Dialect {
    return isV2(path) ? this.v2 : this.rest;
  }
}
