/** What the configuration says of requests and their answers, on any port. Plain data. */

import type { ProxyOptions } from "./proxies.js";

export interface ExchangeLimits extends ProxyOptions {
  readonly maxRequestSize: number;
  readonly bodyTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly maxChunks: number;
  /** How much of an unwanted body is read so that its connection can go on. */
  readonly maxDiscard: number;
  /** Requests without a usable x-request-id get one. */
  readonly makeRequestIds: boolean;
  /** How long a thread stays awake for the next request; 0: not at all. See linger.ts. */
  readonly lingerMs: number;
  /** Header lines of every answer, for pages of other origins; "": none, and no preflight request is answered. */
  readonly cors: string;
  /** Every path begins with it, and is meant without it; "": none. */
  readonly basePath: string;
}

export const defaultMaxChunks = 65_536;
export const defaultMaxDiscard = 1 << 20;
