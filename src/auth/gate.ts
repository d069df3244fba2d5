/**
 * Whether a request may pass: by a key of the key file, or by a named token whose role covers what is asked and whose limit is
 * not reached. The same for REST and gRPC. Any thread; each has its own.
 *
 *   const gate = new Gate({ keys, named });
 *   const { outcome } = gate.ask("inference", "infer", exchange.authorization);
 */
import { hash } from "node:crypto";
import { bearerKey, TokenCheck } from "./token-check.js";
import { type Role, take, TokenView } from "./token-table.js";

export interface GateMemory {
  /** Of the key file's keys; undefined: there is no key file. */
  readonly tokens: SharedArrayBuffer | undefined;
  /** Of token-table.ts; undefined: there are no named tokens. */
  readonly namedTokens: SharedArrayBuffer | undefined;
}

/** What a request asks for: a prediction, to look at the models and the server, to change them. */
export type Need = "infer" | "view" | "change";

export type Verdict =
  | { readonly outcome: "pass" }
  | { readonly outcome: "unauthorized" }
  | { readonly outcome: "forbidden"; readonly message: string }
  | { readonly outcome: "limited"; readonly message: string; readonly retryAfterMs: number };

const covers: Readonly<Record<Role, readonly Need[]>> = {
  infer: ["infer"],
  viewer: ["view"],
  admin: ["infer", "view", "change"],
};
const words: Readonly<Record<Need, string>> = {
  infer: "predictions need the role infer or admin",
  view: "looking at the models needs the role viewer or admin",
  change: "changing the models needs the role admin",
};

const pass: Verdict = { outcome: "pass" };
const unauthorized: Verdict = { outcome: "unauthorized" };

export interface Clocks {
  /** Wall time, ms. */
  readonly now: () => number;
  /** µs of a clock that all threads share and that only goes forward. */
  readonly steadyUs: () => bigint;
}

const systemClocks: Clocks = { now: Date.now, steadyUs: () => process.hrtime.bigint() / 1000n };

export class Gate {
  private readonly keys: TokenCheck | undefined;
  private readonly named: TokenView | undefined;
  private readonly clocks: Clocks;

  constructor({ tokens, namedTokens }: GateMemory, clocks: Clocks = systemClocks) {
    this.keys = tokens && new TokenCheck(tokens, clocks.now);
    this.named = namedTokens && new TokenView(namedTokens);
    this.clocks = clocks;
  }

  /** `counts`: whether it is a request that a limit counts. */
  ask(port: "inference" | "management", need: Need, authorization: string, counts = true): Verdict {
    if (this.keys?.allows(port, authorization) === true) return pass;
    if (this.named === undefined) return unauthorized;
    const key = bearerKey(authorization);
    const token = key === undefined ? undefined : this.named.find(hash("sha256", key));
    if (token === undefined || this.clocks.now() >= token.expiresAtMs) return unauthorized;
    if (!covers[token.role].includes(need)) {
      return { outcome: "forbidden", message: `The token ${token.name} has the role ${token.role}: ${words[need]}.` };
    }
    const retryAfterMs = counts ? take(token, this.clocks.steadyUs()) : 0;
    if (retryAfterMs === 0) return pass;
    const message = `The token ${token.name} is over its limit ${token.limitName} of --tokens-file: try again in ${retryAfterMs} ms.`;
    return { outcome: "limited", message, retryAfterMs };
  }

  /** For a new key of the key file. */
  mayRotate(authorization: string): boolean {
    return this.keys?.allows("API", authorization) === true;
  }
}
