/** What the configuration says of requests and their answers, on any port, and how it is told. Plain data. */

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

/** `whole`: all of them are known, else so many have come. */
export function tooLargeWords(bytes: number, whole: boolean, { maxRequestSize }: ExchangeLimits): string {
  const got = whole ? `${bytes}` : `at least ${bytes}`;
  return `The body has ${got} bytes, more than the ${maxRequestSize} that --max-request-size allows.`;
}

export function lateBodyWords({ bodyTimeoutMs }: ExchangeLimits): string {
  return `The body did not arrive within the ${bodyTimeoutMs / 1000} s that --body-timeout allows.`;
}
