/**
 * TorchServe's worker protocol as bytes: what is sent to a Python worker (LOAD, PREDICT) and what comes back. Pure. All
 * numbers are big-endian; a text is a 4-byte length and its bytes; -1 ends a list. A frame has no length of its own, so
 * the reader asks for bytes step by step.
 *
 *   socket.write(encodeLoad({ … }));
 *   const reader = new FrameReader({ maxAnswers: 8, maxBytes: 64 * MiB });
 *   for (const frame of reader.push(chunk)) …
 */

/** What a worker is told before anything else. */
export interface LoadCommand {
  readonly modelName: string;
  /** Folder with MAR-INF. */
  readonly modelPath: string;
  readonly batchSize: number;
  /** As the manifest has it: a file's name, perhaps with ":function", or a built-in's. */
  readonly handler: string;
  /** -1: CPU. */
  readonly gpu: number;
  /** "": none. */
  readonly envelope: string;
  readonly limitMaxImagePixels: boolean;
}

/** One named input of a request. */
export interface Parameter {
  readonly name: string;
  /** "": none; then the handler gets bytes. */
  readonly contentType: string;
  readonly value: Uint8Array;
}

export interface WorkerRequest {
  readonly id: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly parameters: readonly Parameter[];
}

/** What a worker says of one request. */
export interface WorkerAnswer {
  readonly id: string;
  readonly contentType: string;
  readonly status: number;
  readonly phrase: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

export interface WorkerFrame {
  /** 200, or what holds for all requests of the batch. */
  readonly code: number;
  readonly message: string;
  readonly answers: readonly WorkerAnswer[];
}

export interface FrameLimits {
  /** Answers in one frame: the requests of the batch. */
  readonly maxAnswers: number;
  /** Bytes of one frame. */
  readonly maxBytes: number;
}

/** Headers of one answer. */
export const maxAnswerHeaders = 256;
/** Bytes of a message, an id, a content type, a phrase, a header's name or value. */
export const maxWordBytes = 64 * 1024;

/** The bytes are not the protocol's, or over a limit: the connection cannot be used any more. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FrameError";
  }
}

export function encodeLoad(command: LoadCommand): Uint8Array {
  return Buffer.concat([
    Buffer.from("L"),
    text(command.modelName),
    text(command.modelPath),
    int(command.batchSize),
    text(command.handler),
    int(command.gpu),
    text(command.envelope),
    Buffer.from([command.limitMaxImagePixels ? 1 : 0]),
  ]);
}

/** In pieces, so that bodies are not copied. */
export function encodePredict(requests: readonly WorkerRequest[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [Buffer.from("I")];
  for (const { id, headers, parameters } of requests) {
    pieces.push(text(id), ...headers.flatMap(([name, value]) => [text(name), text(value)]), listEnd);
    for (const { name, contentType, value } of parameters) {
      pieces.push(text(name), text(contentType), int(value.byteLength), value);
    }
    pieces.push(listEnd);
  }
  pieces.push(listEnd);
  return pieces;
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(words: string): Buffer {
  const bytes = Buffer.from(words);
  return Buffer.concat([int(bytes.length), bytes]);
}

const listEnd = int(-1);

/** What a parser yields: how many bytes it needs next. */
type Steps<T> = Generator<number, T, Buffer>;

/** Frames out of a stream of chunks, wherever those are cut. */
export class FrameReader {
  private readonly limits: FrameLimits;
  private readonly chunks: Uint8Array[] = [];
  private buffered = 0;
  private taken = 0;
  private steps: Steps<WorkerFrame>;
  private needed: number;

  constructor(limits: FrameLimits) {
    this.limits = limits;
    this.steps = frame(limits);
    this.needed = this.begin();
  }

  /** Bytes of the frame under way, so far; 0 between two frames. */
  get pending(): number {
    return this.taken + this.buffered;
  }

  /** Throws FrameError; nothing can be read after it. */
  push(chunk: Uint8Array): readonly WorkerFrame[] {
    this.chunks.push(chunk);
    this.buffered += chunk.byteLength;
    const frames: WorkerFrame[] = [];
    while (this.buffered >= this.needed) {
      const step = this.steps.next(this.take(this.needed));
      if (step.done === true) {
        frames.push(step.value);
        this.steps = frame(this.limits);
        this.needed = this.begin();
      } else this.needed = this.checked(step.value);
    }
    return frames;
  }

  private begin(): number {
    this.taken = 0;
    return this.steps.next().value as number;
  }

  private checked(needed: number): number {
    if (this.taken + needed <= this.limits.maxBytes) return needed;
    throw new FrameError(`an answer of more than ${this.limits.maxBytes} bytes`);
  }

  /** Copies: what is given away does not change or keep a socket's buffer alive. */
  private take(bytes: number): Buffer {
    const out = Buffer.allocUnsafeSlow(bytes);
    let filled = 0;
    while (filled < bytes) {
      const first = this.chunks[0] ?? new Uint8Array();
      const part = first.subarray(0, bytes - filled);
      out.set(part, filled);
      filled += part.byteLength;
      if (part.byteLength === first.byteLength) this.chunks.shift();
      else this.chunks[0] = first.subarray(part.byteLength);
    }
    this.buffered -= bytes;
    this.taken += bytes;
    return out;
  }
}

function* frame({ maxAnswers }: FrameLimits): Steps<WorkerFrame> {
  const code = yield* readInt();
  const message = yield* readText("message");
  const answers: WorkerAnswer[] = [];
  for (;;) {
    const length = yield* readInt();
    if (length === -1) return { code, message, answers };
    if (answers.length >= maxAnswers) throw new FrameError(`more than the ${maxAnswers} answers asked for`);
    answers.push(yield* answer(length));
  }
}

function* answer(idLength: number): Steps<WorkerAnswer> {
  const id = yield* readWord(idLength, "request id");
  const contentType = yield* readText("content type");
  const status = yield* readInt();
  const phrase = yield* readText("reason phrase");
  const count = yield* readInt();
  if (count < 0 || count > maxAnswerHeaders) throw new FrameError(`${count} headers in an answer`);
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index < count; index++) {
    headers.push([yield* readText("header name"), yield* readText("header value")]);
  }
  const length = yield* readInt();
  if (length < 0) throw new FrameError(`a body of ${length} bytes`);
  const body: Uint8Array = length === 0 ? new Uint8Array() : yield length;
  return { id, contentType, status, phrase, headers, body };
}

function* readInt(): Steps<number> {
  const bytes = yield 4;
  return bytes.readInt32BE();
}

function* readText(what: string): Steps<string> {
  return yield* readWord(yield* readInt(), what);
}

function* readWord(length: number, what: string): Steps<string> {
  if (length < 0 || length > maxWordBytes) throw new FrameError(`a ${what} of ${length} bytes`);
  if (length === 0) return "";
  const bytes = yield length;
  return bytes.toString();
}
