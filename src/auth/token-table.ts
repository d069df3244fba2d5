/**
 * Tokens with a name, a role and a limit, in memory that every thread sees: a change counts everywhere the moment it is
 * written, and a token's requests are counted together whichever thread they come to. A sequence number that is odd while the
 * table is being written keeps readers from half of it. Threads: main writes, all read and all count.
 */

export const roles = ["infer", "viewer", "admin"] as const;
export type Role = (typeof roles)[number];

export interface NamedToken {
  readonly name: string;
  readonly role: Role;
  /** Of the key: 32 bytes. */
  readonly sha256: Buffer;
  /** Wall time, ms; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** Undefined: as many requests as it likes. */
  readonly limit: RateLimit | undefined;
}

export interface RateLimit {
  readonly name: string;
  /** Requests per second. */
  readonly rate: number;
  /** Requests that may come at once. */
  readonly burst: number;
}

export const maxTokens = 256;
export const maxNameBytes = 64;
const hashBytes = 32;

/** Per token: expiry, interval, tolerance (µs, 64-bit floats); arrival, allowed, limited (64-bit); role, lengths; texts. */
const numbers = 6 * 8;
const small = 4 * 4;
const recordBytes = numbers + small + hashBytes + 2 * maxNameBytes;
/** Sequence and count. */
const headBytes = 16;

export function createTokenTable(): SharedArrayBuffer {
  return new SharedArrayBuffer(headBytes + maxTokens * recordBytes);
}

class Record {
  readonly floats: Float64Array;
  /** When the next request would be due if they came evenly, requests let through, requests refused. */
  readonly counts: BigInt64Array;
  /** Role, length of the name, length of the limit's name. */
  readonly words: Int32Array;
  readonly hash: Uint8Array;
  readonly texts: Uint8Array;

  constructor(memory: SharedArrayBuffer, index: number) {
    const start = headBytes + index * recordBytes;
    this.floats = new Float64Array(memory, start, 3);
    this.counts = new BigInt64Array(memory, start + 24, 3);
    this.words = new Int32Array(memory, start + numbers, 4);
    this.hash = new Uint8Array(memory, start + numbers + small, hashBytes);
    this.texts = new Uint8Array(memory, start + numbers + small + hashBytes, 2 * maxNameBytes);
  }
}

export interface TokenCount {
  readonly name: string;
  readonly allowed: number;
  readonly limited: number;
}

/** Main's side. */
export class TokenTable {
  readonly memory = createTokenTable();
  private readonly head = new Int32Array(this.memory, 0, 2);
  private readonly records = Array.from({ length: maxTokens }, (_, index) => new Record(this.memory, index));
  private names: readonly string[] = [];

  /** Replaces all; a token that stays, by its name, keeps its counts. At most `maxTokens`. */
  write(tokens: readonly NamedToken[]): void {
    const before = new Map(this.names.map((name, index) => [name, [...(this.records[index]?.counts ?? [])]] as const));
    Atomics.add(this.head, 0, 1);
    for (const [index, token] of tokens.entries()) {
      const record = this.records[index];
      if (record !== undefined) put(record, token, before.get(token.name));
    }
    Atomics.store(this.head, 1, tokens.length);
    Atomics.add(this.head, 0, 1);
    this.names = tokens.map(({ name }) => name);
  }

  counts(): readonly TokenCount[] {
    return this.names.map((name, index) => {
      const counts = this.records[index]?.counts;
      return { name, allowed: Number(counts?.[1] ?? 0n), limited: Number(counts?.[2] ?? 0n) };
    });
  }
}

function put(record: Record, token: NamedToken, counts: readonly bigint[] = [0n, 0n, 0n]): void {
  const { limit } = token;
  const intervalUs = limit === undefined ? 0 : 1e6 / limit.rate;
  record.floats.set([token.expiresAtMs ?? Infinity, intervalUs, intervalUs * (limit?.burst ?? 0)]);
  record.counts.set(counts);
  record.hash.set(token.sha256);
  record.texts.fill(0);
  const name = Buffer.from(token.name, "latin1");
  const limitName = Buffer.from(limit?.name ?? "", "latin1");
  record.texts.set(name);
  record.texts.set(limitName, maxNameBytes);
  record.words.set([roles.indexOf(token.role), name.length, limitName.length]);
}

/** One token as a thread knows it. */
export interface KnownToken {
  readonly name: string;
  readonly role: Role;
  readonly expiresAtMs: number;
  readonly limitName: string;
  readonly intervalUs: number;
  readonly toleranceUs: number;
  readonly record: { readonly counts: BigInt64Array };
}

/** A thread's view: a copy that is made anew when the table has changed. */
export class TokenView {
  private readonly memory: SharedArrayBuffer;
  private readonly head: Int32Array;
  private tokens = new Map<string, KnownToken>();
  private seen = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.head = new Int32Array(memory, 0, 2);
  }

  /** `sha256`: of the key that was shown, in hexadecimal. */
  find(sha256: string): KnownToken | undefined {
    this.refresh();
    return this.tokens.get(sha256);
  }

  private refresh(): void {
    for (let before = Atomics.load(this.head, 0); before !== this.seen; before = Atomics.load(this.head, 0)) {
      if (before % 2 !== 0) continue;
      const count = Math.min(Atomics.load(this.head, 1), maxTokens);
      const read = Array.from({ length: count }, (_, index) => known(new Record(this.memory, index)));
      if (Atomics.load(this.head, 0) !== before) continue;
      this.tokens = new Map(read);
      this.seen = before;
    }
  }
}

function known(record: Record): [string, KnownToken] {
  const [role = 0, nameLength = 0, limitLength = 0] = record.words;
  const [expiresAtMs = 0, intervalUs = 0, toleranceUs = 0] = record.floats;
  const text = (start: number, length: number): string =>
    Buffer.from(record.texts.slice(start, start + length)).toString("latin1");
  const token: KnownToken = {
    ...{ expiresAtMs, intervalUs, toleranceUs, record },
    name: text(0, nameLength),
    role: roles[role] ?? "infer",
    limitName: text(maxNameBytes, limitLength),
  };
  return [Buffer.from(record.hash.slice()).toString("hex"), token];
}

const [arrival, allowed, limited] = [0, 1, 2];

/**
 * Counts a request against the token's limit: 0 when it may pass, else the milliseconds after which one may. Requests are due
 * at even intervals, and may come before that by what the burst allows. `nowUs`: of a clock that all threads share.
 */
export function take({ record: { counts }, intervalUs, toleranceUs }: KnownToken, nowUs: bigint): number {
  if (intervalUs > 0) {
    for (;;) {
      const due = Atomics.load(counts, arrival);
      const next = (due > nowUs ? due : nowUs) + BigInt(Math.ceil(intervalUs));
      const early = Number(next - nowUs) - Math.max(toleranceUs, Math.ceil(intervalUs));
      if (early > 0) {
        Atomics.add(counts, limited, 1n);
        return Math.max(1, Math.ceil(early / 1000));
      }
      if (Atomics.compareExchange(counts, arrival, due, next) === due) break;
    }
  }
  Atomics.add(counts, allowed, 1n);
  return 0;
}
