/**
 * HTTP/1.0, which uWebSockets.js refuses: such a connection is served by Node's own HTTP server, which passes each request
 * on to this server itself as HTTP/1.1, over a pair of sockets inside the process. `ab`, old health checks and nginx as it
 * comes speak it. Thread: main.
 */

import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { maxHeaderBytes } from "./listener.js";
import type { ProxyOptions } from "./proxies.js";

/** More are closed at once. */
export const maxOldConnections = 1024;
/** A request's headers must be there by then; so long an idle connection stays. */
const headMs = 10_000;
/** The app behind closes idle connections after 10 s. */
const insideIdleMs = 5000;

/** Of one connection each, not of what goes over it. */
const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]);

export interface OldHttpOptions {
  /** A new connection into this server. */
  readonly connect: () => Socket;
  /** In which header the client's address is passed on. */
  readonly header: ProxyOptions["proxyHeader"];
  /** A connection was closed, as no descriptor is left for its way inside. */
  readonly refused: () => void;
}

export class OldHttp {
  private readonly server: Server;
  private readonly agent: Agent;
  private readonly header: ProxyOptions["proxyHeader"];
  private readonly refused: () => void;
  private readonly open = new Map<Socket, NodeJS.Timeout>();

  constructor({ connect, header, refused }: OldHttpOptions) {
    this.header = header;
    this.refused = refused;
    this.agent = new InsideAgent(connect);
    this.server = createServer({ maxHeaderSize: maxHeaderBytes }, (req, res) => this.pass(req, res));
  }

  /** Takes a connection that is paused, with all its bytes unread. */
  take(socket: Socket): void {
    if (this.open.size >= maxOldConnections) {
      socket.destroy();
      return;
    }
    this.wait(socket);
    socket.once("close", () => {
      clearTimeout(this.open.get(socket));
      this.open.delete(socket);
    });
    this.server.emit("connection", socket);
    socket.resume();
  }

  /** Ends all connections. */
  close(): void {
    for (const socket of this.open.keys()) socket.destroy();
    this.agent.destroy();
  }

  private wait(socket: Socket): void {
    clearTimeout(this.open.get(socket));
    this.open.set(socket, setTimeout(() => socket.destroy(), headMs).unref());
  }

  private pass(req: IncomingMessage, res: ServerResponse): void {
    const { socket, method = "GET", url = "/" } = req;
    clearTimeout(this.open.get(socket));
    res.once("finish", () => this.wait(socket));
    const inside = this.ask({ method, path: url, headers: this.headersFor(req) });
    if (inside === undefined) {
      this.refused();
      socket.destroy();
      return;
    }
    // Neither end outlives the other.
    res.once("close", () => inside.destroy());
    inside.on("error", () => {
      if (!res.writableEnded) socket.destroy();
    });
    inside.once("response", (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.statusMessage, endToEnd(answer.rawHeaders));
      answer.once("error", () => socket.destroy());
      answer.pipe(res);
    });
    // Before the body: it may be refused for what the headers say.
    inside.flushHeaders();
    req.pipe(inside);
  }

  /** Undefined: no descriptor is left for it. */
  private ask(options: RequestOptions): ClientRequest | undefined {
    try {
      return request({ ...options, agent: this.agent });
    } catch {
      return undefined;
    }
  }

  /** The client's address goes behind those that proxies said. */
  private headersFor({ rawHeaders, headers, socket }: IncomingMessage): string[] {
    const address = socket.remoteAddress ?? "unknown";
    const own = this.header === "forwarded" ? `for="${address.includes(":") ? `[${address}]` : address}"` : address;
    const before = headers[this.header];
    const kept = endToEnd(rawHeaders, this.header);
    if (headers.host === undefined) kept.push("host", "localhost");
    return [...kept, this.header, before === undefined ? own : `${String(before)}, ${own}`];
  }
}

/** Names and values in turn, without those that end at this connection, and without `also`. */
function endToEnd(raw: readonly string[], also = ""): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    if (!hopByHop.has(name) && name !== also) kept.push(raw[at] ?? "", raw[at + 1] ?? "");
  }
  return kept;
}

class InsideAgent extends Agent {
  private readonly connect: () => Socket;

  constructor(connect: () => Socket) {
    super({ keepAlive: true, timeout: insideIdleMs });
    this.connect = connect;
  }

  override createConnection(): Socket {
    return this.connect();
  }
}
