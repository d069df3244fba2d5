/**
 * Makes the keys of one server, keeps them in the key file and in the memory that requests are checked against. The file
 * has TorchServe's form, is readable by its owner only, and is never seen half written. Main thread only.
 */
import { randomBytes } from "node:crypto";
import { readKeyFile, writeKeyFile, removeKeyFile, type KeyFile } from "./key-file.js";
import { createTokenMemory, tokenKinds, writeToken, type Token, type TokenKind } from "./token-memory.js";

/** 256 bits, as 43 characters of base64url. */
const keyBytes = 32;

export interface IssuerOptions {
  readonly path: string;
  /** How long management and inference keys are good for. */
  readonly expirationMs: number;
  /** Wall time in ms. */
  readonly now?: () => number;
}

export class TokenIssuer {
  /** For `TokenCheck`, on any thread. */
  readonly memory = createTokenMemory();
  private readonly options: IssuerOptions;
  private readonly tokens: Record<TokenKind, Token>;

  constructor(options: IssuerOptions) {
    this.options = options;
    this.tokens = {
      management: this.make(options.expirationMs),
      inference: this.make(options.expirationMs),
      API: this.make(undefined),
    };
    for (const kind of tokenKinds) writeToken(this.memory, kind, this.tokens[kind]);
  }

  /** Writes the key file, once the ports are this server's; throws what node:fs throws. */
  publish(): void {
    writeKeyFile(this.options.path, this.file());
  }

  /** Replaces a key: in the file first, so that a key that counts can always be read there. */
  rotate(kind: "management" | "inference"): void {
    const before = this.tokens[kind];
    this.tokens[kind] = this.make(this.options.expirationMs);
    try {
      writeKeyFile(this.options.path, this.file());
    } catch (error) {
      this.tokens[kind] = before;
      throw error;
    }
    writeToken(this.memory, kind, this.tokens[kind]);
  }

  /** Removes the key file, unless another server has written its own there since. */
  close(): void {
    if (readKeyFile(this.options.path)?.API?.key === this.tokens.API.key) removeKeyFile(this.options.path);
  }

  private make(expirationMs: number | undefined): Token {
    const now = (this.options.now ?? Date.now)();
    const key = randomBytes(keyBytes).toString("base64url");
    return { key, expiresAtMs: expirationMs === undefined ? undefined : now + expirationMs };
  }

  private file(): KeyFile {
    const timed = ({ key, expiresAtMs }: Token) => ({
      key,
      "expiration time": new Date(expiresAtMs ?? 0).toISOString(),
    });
    const { management, inference, API } = this.tokens;
    return { management: timed(management), inference: timed(inference), API: { key: API.key } };
  }
}
