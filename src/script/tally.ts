/** What became of a handler's requests since main was last told: of models whose engine does not count them. Thread: the handler's. */
import type { ErrorCode } from "../errors.js";

/** How a request ended, how long it took, the bytes that came and went, whether its client named the version. */
export type Ended = readonly [
  code: ErrorCode,
  tookMs: number,
  requestBytes: number,
  responseBytes: number,
  named: boolean,
];

export interface Tallied {
  readonly type: "requests";
  readonly ended: readonly Ended[];
  /** Requests that are with the handler now. */
  readonly open: number;
}

export class Tally {
  private ended: Ended[] = [];
  private told = 0;

  add(...ended: Ended): void {
    this.ended.push(ended);
  }

  /** Undefined: nothing has changed. */
  take(open: number): Tallied | undefined {
    if (this.ended.length === 0 && open === this.told) return undefined;
    const { ended } = this;
    this.ended = [];
    this.told = open;
    return { type: "requests", ended, open };
  }
}
