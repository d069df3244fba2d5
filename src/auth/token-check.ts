/**
 * Whether a request may pass: `Authorization: Bearer <key>` against the key of its kind. Takes the same time whichever
 * byte differs. Any thread; each has its own.
 *
 *   const check = new TokenCheck(memory);
 *   if (!check.allows("inference", exchange.authorization)) …
 */
import { timingSafeEqual } from "node:crypto";
import { maxKeyBytes, tokenKinds, TokenReader, type TokenKind } from "./token-memory.js";

/** TorchServe's rule: `Bearer` in exactly this case, blanks, one word. */
const bearer = /^Bearer\s+(\S+)$/;
/** No header that could hold a key of ours is longer. */
const maxHeaderLength = maxKeyBytes + 64;

/** The key of an `Authorization` header; undefined where it cannot be one of ours. */
export function bearerKey(authorization: string): string | undefined {
  if (authorization === "" || authorization.length > maxHeaderLength) return undefined;
  const key = bearer.exec(authorization)?.[1];
  return key === undefined || key.length > maxKeyBytes ? undefined : key;
}

export class TokenCheck {
  private readonly readers: Readonly<Record<TokenKind, TokenReader>>;
  private readonly given = Buffer.alloc(maxKeyBytes);
  private readonly now: () => number;

  /** `now` is wall time in ms. */
  constructor(memory: SharedArrayBuffer, now: () => number = Date.now) {
    this.now = now;
    this.readers = Object.fromEntries(tokenKinds.map((kind) => [kind, new TokenReader(memory, kind)])) as Record<
      TokenKind,
      TokenReader
    >;
  }

  /** `authorization` is the header's value, "" when there is none. */
  allows(kind: TokenKind, authorization: string): boolean {
    const key = bearerKey(authorization);
    if (key === undefined) return false;
    const reader = this.readers[kind];
    reader.refresh();
    this.given.fill(0);
    const length = this.given.write(key, "latin1");
    const equal = timingSafeEqual(this.given, reader.key) && length === reader.length && length > 0;
    return equal && this.now() < reader.expiresAtMs;
  }
}
