/** The parts of a multipart/form-data body. The only importer of @fastify/busboy. Pure but for the parser's streams. */

import { Busboy } from "@fastify/busboy";
import { ServerError } from "../errors.js";
import type { Part } from "../handlers/handler.js";

/** Parts of one form; more is refused. */
export const maxParts = 100;
const maxNameBytes = 256;
const maxHeaderPairs = 32;
/** What the parser is given at a time: past its limit of parts it goes on making them, a kilobyte for each boundary. */
const pieceBytes = 16_384;
/** Of a part's header that is looked at for its type. */
const maxPartHead = 8192;
/** RFC 2046, 5.1.1. */
const maxBoundary = 70;

/** All parts, in order. Rejects with ServerError bad_request. */
export async function parseMultipart(contentType: string, body: Uint8Array): Promise<readonly Part[]> {
  const [, quoted, plain = ""] = /boundary=(?:"([^"]*)"|([^;]*))/i.exec(contentType) ?? [];
  const boundary = (quoted ?? plain).trim();
  if (boundary.length > maxBoundary) {
    throw refused(
      `cannot be read: its boundary has ${boundary.length} characters; at most ${maxBoundary} are allowed.`,
    );
  }
  return new Promise((resolve, reject) => {
    try {
      new Reading(typedParts(body, boundary), resolve, reject).start(contentType, body);
    } catch (error) {
      reject(broken(error));
    }
  });
}

/** One body on its way through the parser. */
class Reading {
  private readonly parts: (Part & { readonly chunks: Uint8Array[] })[] = [];
  /** Whether the parser has told or taken anything since this was last looked at. */
  private moved = true;
  private over = false;
  private readonly typed: readonly boolean[];
  private readonly resolve: (parts: readonly Part[]) => void;
  private readonly reject: (error: ServerError) => void;

  constructor(
    typed: readonly boolean[],
    resolve: (parts: readonly Part[]) => void,
    reject: (error: ServerError) => void,
  ) {
    this.typed = typed;
    this.resolve = resolve;
    this.reject = reject;
  }

  start(contentType: string, body: Uint8Array): void {
    const parser = new Busboy({
      headers: { "content-type": contentType },
      isPartAFile: () => true,
      limits: { parts: maxParts, fieldNameSize: maxNameBytes, headerPairs: maxHeaderPairs },
    });
    parser.on("file", (name, stream, fileName: string | undefined, _encoding, type) => {
      this.moved = true;
      stream.on("error", (error) => this.fail(broken(error)));
      stream.on("data", this.take(name, fileName ?? "", type));
    });
    parser.on("partsLimit", () => this.fail(refused(`has more than ${maxParts} parts.`)));
    parser.on("error", (error) => this.fail(broken(error)));
    parser.on("finish", () => this.finish());
    this.feed(parser, body, 0);
    this.watch();
  }

  private feed(parser: Busboy, body: Uint8Array, at: number): void {
    const end = at + pieceBytes;
    this.moved = true;
    if (this.over) parser.destroy();
    else if (at >= body.length) parser.end();
    else parser.write(body.subarray(at, end), () => this.feed(parser, body, end));
  }

  private take(name: string, fileName: string, type: string): (chunk: Uint8Array) => void {
    const chunks: Uint8Array[] = [];
    const contentType = this.typed[this.parts.length] === false ? "" : type;
    this.parts.push({ name, fileName, contentType, bytes: new Uint8Array(), chunks });
    return (chunk) => {
      this.moved = true;
      chunks.push(chunk);
    };
  }

  private finish(): void {
    this.over = true;
    this.resolve(this.parts.map(({ chunks, ...part }) => ({ ...part, bytes: Buffer.concat(chunks) })));
  }

  private fail(error: ServerError): void {
    this.over = true;
    this.reject(error);
  }

  /** All bytes are there: where the parser does nothing for a turn of the loop, it never will, as a header has no end. */
  private watch(): void {
    if (this.over) return;
    if (this.moved) {
      this.moved = false;
      setImmediate(() => this.watch());
    } else this.fail(refused("ends within the header of a part."));
  }
}

function refused(why: string): ServerError {
  return new ServerError("bad_request", `The multipart body ${why}`);
}

function broken(error: unknown): ServerError {
  return refused(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
}

/** Of each part that has a name, whether it says its type: the parser calls those that do not text. */
function typedParts(body: Uint8Array, boundary: string): readonly boolean[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const typed: boolean[] = [];
  const line = `--${boundary}\r\n`;
  const next = (from: number): number => bytes.indexOf(`\r\n${line}`, from) + 2;
  let at = bytes.indexOf(line) === 0 ? 0 : next(0);
  for (let seen = 0; seen < maxParts && at !== 1; seen++, at = next(at)) {
    const [head = ""] = bytes.toString("latin1", at, at + maxPartHead).split("\r\n\r\n", 1);
    if (/^content-disposition:\s*form-data/im.test(head)) typed.push(/^content-type:/im.test(head));
  }
  return typed;
}
