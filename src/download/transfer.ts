/**
 * One file over HTTP(S): the host's address is resolved and judged once and connected to, redirects are not followed, bytes
 * and time are bounded, and a connection that breaks is taken up again where it broke when the server can tell that the
 * file is still the same. Main thread, asynchronous; the file's bytes never lie in memory together.
 */
import { createHash, type Hash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { get as getHttp, type IncomingMessage, type RequestOptions } from "node:http";
import { get as getHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ServerError } from "../errors.js";
import { resolveHost, type AllowList, type Resolve } from "./allow-list.js";

export interface TransferOptions {
  readonly allow: AllowList;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** For tests. */
  readonly resolve?: Resolve;
  /** Before the second attempt; doubled for each one after. */
  readonly retryDelayMs?: number;
}

const maxAttempts = 5;
/** A connection that says nothing for so long has broken. */
const idleMs = 30_000;

/** A failure that another attempt would not change. */
class Final extends Error {}

export function downloadFailure(shown: string, why: string, cause?: unknown): ServerError {
  return new ServerError("download_failed", `Failed to download archive from: ${shown}: ${why}`, { cause });
}

/** Writes the URL's bytes to `target`, which must not exist; resolves to their SHA-256. The caller removes it on failure. */
export async function transfer(url: URL, shown: string, target: string, options: TransferOptions): Promise<string> {
  const bound = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, bound]);
  const file = await open(target, "wx", 0o600);
  try {
    return await new Transfer(url, shown, file, { ...options, signal }).run();
  } catch (error) {
    if (options.signal.aborted) throw new ServerError("cancelled", "the load was cancelled", { cause: error });
    if (bound.aborted)
      throw downloadFailure(shown, `not there within ${options.timeoutMs / 1000} s (--download-timeout)`);
    if (error instanceof ServerError) throw error;
    if ((error as { code?: unknown }).code === "ENOSPC") {
      throw new ServerError("out_of_memory", `${shown}: the disk is full while downloading it`, { cause: error });
    }
    throw downloadFailure(shown, error instanceof Error ? error.message : String(error), error);
  } finally {
    await file.close();
  }
}

class Transfer {
  private readonly url: URL;
  private readonly shown: string;
  private readonly file: FileHandle;
  private readonly options: TransferOptions;
  private received = 0;
  private hash: Hash = createHash("sha256");
  /** What the server calls this state of the file; without it a broken transfer starts again. */
  private validator: string | undefined;

  constructor(url: URL, shown: string, file: FileHandle, options: TransferOptions) {
    this.url = url;
    this.shown = shown;
    this.file = file;
    this.options = options;
  }

  async run(): Promise<string> {
    const { allow, resolve, signal, retryDelayMs = 250 } = this.options;
    const pinned = await resolveHost(allow, this.url, this.shown, resolve);
    for (let attempt = 1; ; attempt++) {
      const before = this.received;
      try {
        await this.attempt(pinned);
        return this.hash.digest("hex");
      } catch (error) {
        const final = error instanceof Final || error instanceof ServerError || isDiskError(error);
        // Bytes that came are progress: only attempts in a row that bring nothing count.
        if (this.received > before) attempt = 1;
        if (final || signal.aborted || attempt >= maxAttempts) throw error;
        await sleep(retryDelayMs * 2 ** (attempt - 1), undefined, { signal });
      }
    }
  }

  private async attempt(pinned: { readonly address: string; readonly family: number }): Promise<void> {
    const answer = await this.ask(pinned);
    try {
      await this.begin(answer);
      for await (const chunk of answer as AsyncIterable<Buffer>) await this.take(chunk);
    } finally {
      answer.destroy();
    }
  }

  private ask(pinned: { readonly address: string; readonly family: number }): Promise<IncomingMessage> {
    const { signal } = this.options;
    const lookup: LookupFunction = (_, { all }, done) => {
      if (all === true) done(null, [pinned]);
      else done(null, pinned.address, pinned.family);
    };
    const resume =
      this.received > 0 && this.validator !== undefined
        ? { range: `bytes=${this.received}-`, "if-range": this.validator }
        : {};
    const headers = { "accept-encoding": "identity", "user-agent": "sconce", accept: "*/*", ...resume };
    const request: RequestOptions = { agent: false, headers, lookup, signal, timeout: idleMs };
    return new Promise((resolve, reject) => {
      const get = this.url.protocol === "https:" ? getHttps : getHttp;
      const sent = get(this.url, request, resolve);
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
    });
  }

  private async begin(answer: IncomingMessage): Promise<void> {
    const { statusCode: status = 0, headers } = answer;
    if (status >= 300 && status < 400) {
      throw new Final(`it redirects (${status} to ${JSON.stringify(headers.location ?? "")}), which is not followed`);
    }
    if (status >= 500) throw new Error(`the server answers ${status}`);
    if (status !== 200 && status !== 206) throw new Final(`the server answers ${status}`);
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") throw new Final(`it comes encoded (${encoding}) unasked`);
    if (status === 206) this.checkRange(headers["content-range"]);
    else await this.restart();
    const etag = headers.etag?.startsWith("W/") === true ? undefined : headers.etag;
    this.validator = etag ?? headers["last-modified"];
    const length = Number(headers["content-length"] ?? 0);
    if (this.received + length > this.options.maxBytes) throw this.tooLarge();
  }

  private checkRange(range: string | undefined): void {
    const [, start] = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(range ?? "") ?? [];
    if (this.received === 0 || Number(start) !== this.received)
      throw new Final(`it sends another part (${range ?? "unnamed"}) than asked`);
  }

  private async restart(): Promise<void> {
    this.received = 0;
    this.hash = createHash("sha256");
    await this.file.truncate(0);
  }

  private async take(chunk: Buffer): Promise<void> {
    if (this.received + chunk.length > this.options.maxBytes) throw this.tooLarge();
    let written = 0;
    while (written < chunk.length) {
      written += (await this.file.write(chunk, written, chunk.length - written, this.received + written)).bytesWritten;
    }
    this.received += chunk.length;
    this.hash.update(chunk);
  }

  private tooLarge(): Final {
    return new Final(`it has over ${this.options.maxBytes} bytes (--max-download-size)`);
  }
}

const isDiskError = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT", "EIO", "EROFS"].includes(String((error as { code?: unknown }).code));
