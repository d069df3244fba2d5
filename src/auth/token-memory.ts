/**
 * The keys that requests are checked against, in memory that every thread sees: a new key counts everywhere the moment it
 * is written. A sequence number that is odd while a key is being written keeps readers from half a key.
 * Threads: main writes, all read.
 */

/** Requests to the inference API, requests to the management API, and requests for a new key. */
export const tokenKinds = ["management", "inference", "API"] as const;
export type TokenKind = (typeof tokenKinds)[number];

export interface Token {
  readonly key: string;
  /** Wall time, ms; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** Longer keys are none of ours. */
export const maxKeyBytes = 64;

/** Per kind: sequence and length (two 32-bit numbers), expiry (a 64-bit one), key. */
const headBytes = 16;
const recordBytes = headBytes + maxKeyBytes;

export function createTokenMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(recordBytes * tokenKinds.length);
}

interface Record {
  /** [sequence, length of the key]. */
  readonly head: Int32Array;
  readonly expiry: Float64Array;
  readonly key: Uint8Array;
}

function recordOf(memory: SharedArrayBuffer, kind: TokenKind): Record {
  const start = tokenKinds.indexOf(kind) * recordBytes;
  return {
    head: new Int32Array(memory, start, 2),
    expiry: new Float64Array(memory, start + 8, 1),
    key: new Uint8Array(memory, start + headBytes, maxKeyBytes),
  };
}

/** Main thread only. */
export function writeToken(memory: SharedArrayBuffer, kind: TokenKind, token: Token): void {
  const { head, expiry, key } = recordOf(memory, kind);
  const bytes = Buffer.from(token.key, "latin1");
  if (bytes.length > maxKeyBytes) throw new RangeError(`a key has at most ${maxKeyBytes} bytes`);
  Atomics.add(head, 0, 1);
  key.fill(0);
  key.set(bytes);
  Atomics.store(head, 1, bytes.length);
  expiry[0] = token.expiresAtMs ?? Infinity;
  Atomics.add(head, 0, 1);
}

/** This thread's view of one key: a copy that is made anew when the key has changed. */
export class TokenReader {
  /** Padded with zeros to `maxKeyBytes`. */
  readonly key = Buffer.alloc(maxKeyBytes);
  length = 0;
  expiresAtMs = 0;
  private readonly record: Record;
  private seen = 0;

  constructor(memory: SharedArrayBuffer, kind: TokenKind) {
    this.record = recordOf(memory, kind);
  }

  refresh(): void {
    const { head, expiry, key } = this.record;
    for (let before = Atomics.load(head, 0); before !== this.seen; before = Atomics.load(head, 0)) {
      if (before % 2 !== 0) continue;
      this.key.set(key);
      this.length = Atomics.load(head, 1);
      this.expiresAtMs = expiry[0] ?? 0;
      if (Atomics.load(head, 0) === before) this.seen = before;
    }
  }
}
