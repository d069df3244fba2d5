/**
 * The three counters of predictions that TorchServe has, by its label `model_version`: the version that a client named, and
 * `default` for all requests that named none, whichever version answered them. Main thread.
 */
import type { ModelStats } from "../engine/engine.js";

export interface InferenceTotal {
  readonly name: string;
  /** The label's value. */
  readonly version: string;
  readonly requests: number;
  readonly requestSeconds: number;
  readonly queueSeconds: number;
}

type Sums = Pick<InferenceTotal, "requests" | "requestSeconds" | "queueSeconds">;

/** What was last seen of one version. */
interface Seen {
  readonly name: string;
  /** Of all its requests, which tells a version that was loaded anew. */
  readonly requests: number;
  readonly unnamed: Sums;
}

const none: Sums = { requests: 0, requestSeconds: 0, queueSeconds: 0 };
export const defaultLabel = "default";

/**
 * A counter must not fall: what versions that are gone had answered stays in `default` for as long as the name has any
 * version, and sums that were read while requests ended do not go back.
 */
export class InferenceTotals {
  private readonly byDefault: boolean;
  private seen = new Map<string, Seen>();
  private gone = new Map<string, Sums>();

  /** `byDefault` false: sconce's way, in which the label is the version that answered. */
  constructor(byDefault: boolean) {
    this.byDefault = byDefault;
  }

  look(stats: readonly ModelStats[]): readonly InferenceTotal[] {
    if (!this.byDefault) return stats.map(({ name, version, ...each }) => ({ name, version, ...totalOf(each) }));
    const seen = new Map(stats.map((each) => [`${each.name}/${each.version}`, this.see(each)]));
    for (const [key, before] of this.seen) if (!goesOn(before, seen.get(key))) this.keep(before);
    this.seen = seen;
    const names = [...new Set(stats.map(({ name }) => name))];
    this.gone = new Map(names.map((name) => [name, this.gone.get(name) ?? none]));
    return [...names.map((name) => this.defaultOf(name)), ...stats.flatMap(namedOf)];
  }

  private see(stats: ModelStats): Seen {
    const { name, version, named } = stats;
    const all = totalOf(stats);
    const before = this.seen.get(`${name}/${version}`);
    const floor = before === undefined || all.requests < before.requests ? none : before.unnamed;
    const unnamed = highest(floor, {
      requests: all.requests - named.requests,
      requestSeconds: all.requestSeconds - named.requestSeconds,
      queueSeconds: all.queueSeconds - named.queueSeconds,
    });
    return { name, requests: all.requests, unnamed };
  }

  private keep({ name, unnamed }: Seen): void {
    this.gone.set(name, plus(this.gone.get(name) ?? none, unnamed));
  }

  private defaultOf(name: string): InferenceTotal {
    const served = [...this.seen.values()].filter((each) => each.name === name);
    const sums = served.reduce((sum, { unnamed }) => plus(sum, unnamed), this.gone.get(name) ?? none);
    return { name, version: defaultLabel, ...sums };
  }
}

function totalOf(stats: Pick<ModelStats, "requestsByCode" | "requestSeconds" | "queueSeconds">): Sums {
  return {
    requests: stats.requestsByCode.reduce((sum, count) => sum + count, 0),
    requestSeconds: stats.requestSeconds.sum,
    queueSeconds: stats.queueSeconds.sum,
  };
}

/** A version that no request named has no label of its own, as in TorchServe. */
function namedOf({ name, version, named }: ModelStats): InferenceTotal[] {
  return named.requests === 0 ? [] : [{ name, version, ...named }];
}

function goesOn(before: Seen, now: Seen | undefined): boolean {
  return now !== undefined && now.requests >= before.requests;
}

function plus(a: Sums, b: Sums): Sums {
  return {
    requests: a.requests + b.requests,
    requestSeconds: a.requestSeconds + b.requestSeconds,
    queueSeconds: a.queueSeconds + b.queueSeconds,
  };
}

function highest(a: Sums, b: Sums): Sums {
  return {
    requests: Math.max(a.requests, b.requests),
    requestSeconds: Math.max(a.requestSeconds, b.requestSeconds),
    queueSeconds: Math.max(a.queueSeconds, b.queueSeconds),
  };
}
