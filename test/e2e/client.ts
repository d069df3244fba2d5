/**
 * A lean HTTP/1.1 client on plain sockets: it can send what a well-behaved client never would, and it sees exactly what
 * came back. `Connection` is one socket, `call` one request on a socket of its own, `drive` many checked requests over
 * many keep-alive connections, one request in flight on each (no pipelining).
 */
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Names in lower case; of repeated fields the last one. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: Map<string, string>;
  readonly bodyStart: number;
}

const headEnd = Buffer.from("\r\n\r\n");

function parseHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const lines = bytes.toString("latin1", 0, end).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(lines[0] ?? "");
  if (status === null) throw new Error(`not an HTTP/1.1 status line: ${JSON.stringify(lines[0])}`);
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status[1]), reason: status[2] ?? "", headers, bodyStart: end + 4 };
}

/** The chunked body starting at `from`, and where it ends; undefined while bytes are missing. */
function parseChunks(bytes: Buffer, from: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = from; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    const next = line + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: next };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = next;
  }
}

/**
 * The first complete answer in `bytes` and its length; undefined while bytes are missing. An answer that declares no
 * length is read to the end of the connection (`ended`).
 */
export function parseAnswer(bytes: Buffer, ended = false): { answer: Answer; used: number } | undefined {
  const head = parseHead(bytes);
  if (head === undefined) return undefined;
  const { status, reason, headers, bodyStart } = head;
  if (headers.get("transfer-encoding") === "chunked") {
    const chunks = parseChunks(bytes, bodyStart);
    return chunks && { answer: { status, reason, headers, body: chunks.body }, used: chunks.end };
  }
  const declared = headers.get("content-length");
  const bodyless = status < 200 || status === 204 || status === 304;
  if (declared === undefined && !bodyless && !ended) return undefined;
  const length = declared !== undefined ? Number(declared) : bodyless ? 0 : bytes.length - bodyStart;
  const used = bodyStart + length;
  if (bytes.length < used) return undefined;
  return { answer: { status, reason, headers, body: bytes.subarray(bodyStart, used) }, used };
}

/** How long the first answer of these bytes will be, as far as its head says; 0 when that is not known yet. */
function wholeLength(bytes: Buffer): number {
  const head = parseHead(bytes);
  const length = Number(head?.headers.get("content-length") ?? Number.NaN);
  return head === undefined || Number.isNaN(length) ? 0 : head.bodyStart + length;
}

export interface RequestParts {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A correct request with Host and, when there is a body, Content-Length. */
export function requestBytes(parts: RequestParts): Buffer {
  const body = Buffer.from(parts.body ?? "");
  const method = parts.method ?? (parts.body === undefined ? "GET" : "POST");
  const headers: Record<string, string> = { host: "sconce.test", ...parts.headers };
  if (parts.body !== undefined) headers["content-length"] ??= String(body.length);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${parts.path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"), body]);
}

/** How a connection ended: the peer's FIN, a reset, or not yet. */
export type Ending = "open" | "fin" | "reset";

export class Connection {
  readonly socket: Socket;
  ending: Ending = "open";
  bytesReceived = 0;
  private readonly chunks: Buffer[] = [];
  private chunkBytes = 0;
  /** Bytes that the answer under way is known to have; joining the chunks earlier would cost time squared. */
  private needed = 0;
  private readonly wakers = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.bytesReceived += chunk.length;
      this.chunks.push(chunk);
      this.chunkBytes += chunk.length;
      if (this.chunkBytes >= this.needed) this.wake();
    });
    socket.on("end", () => this.finish("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.finish(error.code === "EPIPE" ? "fin" : "reset"));
    socket.on("close", () => this.finish("fin"));
  }

  static async open(port: number, host = "127.0.0.1"): Promise<Connection> {
    const socket = connect({ port, host, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Connection(socket);
  }

  /** Resolves when the bytes left this process, or the connection is gone. */
  send(bytes: string | Buffer): Promise<void> {
    const data = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    return new Promise((resolve) => {
      if (this.socket.destroyed || this.socket.writableEnded) resolve();
      else this.socket.write(data, () => resolve());
    });
  }

  /** The next answer; undefined when the connection ended without one. Throws after `timeoutMs`. */
  async next(timeoutMs = 15_000): Promise<Answer | undefined> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = parseAnswer(this.pending, this.ending !== "open");
      this.needed = found === undefined ? wholeLength(this.pending) : 0;
      if (found !== undefined) {
        this.keep(this.pending.subarray(found.used));
        return found.answer;
      }
      if (this.ending !== "open") return undefined;
      await this.changed(deadline, "an answer");
    }
  }

  /** Sends a correct request and waits for its answer. */
  async ask(parts: RequestParts, timeoutMs?: number): Promise<Answer | undefined> {
    await this.send(requestBytes(parts));
    return this.next(timeoutMs);
  }

  /** Resolves when the peer closed; throws after `timeoutMs`. */
  async closed(timeoutMs: number): Promise<Ending> {
    const deadline = Date.now() + timeoutMs;
    while (this.ending === "open") await this.changed(deadline, "the peer to close");
    return this.ending;
  }

  private get pending(): Buffer {
    if (this.chunks.length !== 1) this.keep(Buffer.concat(this.chunks));
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  private keep(bytes: Buffer): void {
    this.chunks.splice(0, this.chunks.length, bytes);
    this.chunkBytes = bytes.length;
  }

  /** What came that was not taken by `next`. */
  get rest(): string {
    return this.pending.toString("latin1");
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Closes with a reset instead of a FIN. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  private finish(ending: Ending): void {
    if (this.ending === "open") this.ending = ending;
    this.wake();
  }

  private wake(): void {
    for (const waker of [...this.wakers]) waker();
  }

  private changed(deadline: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(
        () => {
          this.wakers.delete(done);
          reject(new Error(`timed out waiting for ${what}; have ${JSON.stringify(this.rest.slice(0, 200))}`));
        },
        Math.max(0, deadline - Date.now()),
      );
      this.wakers.add(done);
    });
  }
}

/** One request on a connection of its own. Throws when it closes without an answer. */
export async function call(port: number, parts: RequestParts, timeoutMs = 30_000): Promise<Answer> {
  const connection = await Connection.open(port);
  try {
    const answer = await connection.ask(parts, timeoutMs);
    if (answer === undefined) throw new Error(`${parts.method ?? ""} ${parts.path}: closed without an answer`);
    return answer;
  } finally {
    connection.destroy();
  }
}

export function jsonOf(answer: Answer): unknown {
  return JSON.parse(answer.body.toString("utf8"));
}

export interface Drive {
  readonly port: number;
  readonly connections: number;
  readonly count: number;
  /** The bytes of request `index`; undefined: send no more. */
  readonly request: (index: number) => Buffer | undefined;
  /** Says what is wrong with an answer, or nothing. */
  readonly check: (index: number, answer: Answer) => string | undefined;
}

export interface Tally {
  sent: number;
  right: number;
  readonly wrong: string[];
  /** Requests whose connection ended before their answer, by how it ended and whether it had answered before. */
  readonly unanswered: { readonly index: number; readonly ending: Ending; readonly first: boolean }[];
  /** Connections that could not be opened. */
  refused: number;
}

/** Sends up to `count` requests over `connections` sockets; opens a new one after `Connection: close`. */
export async function drive(plan: Drive): Promise<Tally> {
  const tally: Tally = { sent: 0, right: 0, wrong: [], unanswered: [], refused: 0 };
  let nextIndex = 0;
  const take = (): { index: number; bytes: Buffer } | undefined => {
    if (nextIndex >= plan.count) return undefined;
    const bytes = plan.request(nextIndex);
    return bytes && { index: nextIndex++, bytes };
  };
  const record = (index: number, answer: Answer): void => {
    const fault = plan.check(index, answer);
    if (fault === undefined) tally.right++;
    else if (tally.wrong.push(`request ${index}: ${fault}`) > 1000) throw new Error("too many wrong answers");
  };
  const runOne = (): Promise<"more" | "done"> => oneConnection(plan.port, take, record, tally);
  const worker = async (): Promise<void> => {
    while ((await runOne()) === "more");
  };
  await Promise.all(Array.from({ length: plan.connections }, worker));
  return tally;
}

/** Uses one connection until it closes or the work ends. Callbacks only: this is the load generator's hot path. */
function oneConnection(
  port: number,
  take: () => { index: number; bytes: Buffer } | undefined,
  record: (index: number, answer: Answer) => void,
  tally: Tally,
): Promise<"more" | "done"> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let current: { index: number; bytes: Buffer } | undefined;
    let pending: Buffer = Buffer.alloc(0);
    let answered = 0;
    let connected = false;
    const finish = (outcome: "more" | "done", ending: Ending): void => {
      if (current !== undefined) tally.unanswered.push({ index: current.index, ending, first: answered === 0 });
      current = undefined;
      socket.removeAllListeners();
      socket.on("error", () => undefined);
      socket.destroy();
      resolve(outcome);
    };
    const sendNext = (): void => {
      current = take();
      if (current === undefined) {
        finish("done", "open");
        return;
      }
      tally.sent++;
      socket.write(current.bytes);
    };
    socket.on("connect", () => {
      connected = true;
      sendNext();
    });
    socket.on("data", (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      try {
        const found = parseAnswer(pending);
        if (found === undefined || current === undefined) return;
        pending = pending.subarray(found.used);
        record(current.index, found.answer);
        current = undefined;
        answered++;
        if (found.answer.headers.get("connection") === "close") finish("more", "fin");
        else sendNext();
      } catch (error) {
        socket.destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on("end", () => finish("more", "fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (!connected) {
        tally.refused++;
        finish("done", "open");
      } else finish("more", error.code === "EPIPE" ? "fin" : "reset");
    });
  });
}
