/**
 * A listening socket that looks at each connection's first line before anybody else reads it: HTTP/1.0 is served here, all
 * else goes to the apps of the HTTP threads, as Entrance deals it. A connection costs the main thread a little more that
 * way, a request nothing. Thread: main.
 */

import { createServer, type Server, Socket } from "node:net";
import { ServerError } from "../errors.js";
import type { SocketCalls } from "../types.js";
import { cannotListen, type Listening } from "./listener.js";
import { OldHttp } from "./old-http.js";
import type { ProxyOptions } from "./proxies.js";

/** Connections that come faster than they are accepted wait in the kernel. */
const backlog = 512;
/** So long a first line that has begun may take; then, and where too many are waited for, HTTP/1.1's parser has to see. */
const firstLineMs = 5000;
const maxWaiting = 1024;
/** Nobody tells that more of it is there without taking it: it is looked at again after that long, then half as long again. */
const [firstLookMs, slowestLookMs] = [2, 250];
/** A client that sends nothing is accepted after about so many seconds, and taken for one of HTTP/1.1. */
const firstBytesSeconds = 1;

export interface SortedEntranceOptions {
  readonly sockets: SocketCalls;
  /** Gives a connection to one of the apps, which owns the descriptor from then on. */
  readonly adopt: (fd: number) => void;
  readonly header: ProxyOptions["proxyHeader"];
  /** A connection was closed, as no descriptor is left for it. */
  readonly refused: () => void;
}

export class SortedEntrance {
  private readonly options: SortedEntranceOptions;
  private readonly server: Server;
  private readonly old: OldHttp;
  /** Their first line has begun. */
  private readonly waiting = new Set<Socket>();

  constructor(options: SortedEntranceOptions) {
    this.options = options;
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on("error", () => socket.destroy());
      this.sort(socket, performance.now() + firstLineMs, firstLookMs);
    });
    const { header, refused } = options;
    this.old = new OldHttp({ connect: () => this.connectInside(), header, refused });
  }

  listen(host: string, port: number): Promise<Listening> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      let open = false;
      server.on("error", () => {
        if (open) this.options.refused();
        else reject(new ServerError("conflict", cannotListen(host, port)));
      });
      server.listen({ host, port, backlog, exclusive: true }, () => {
        open = true;
        this.options.sockets.deferAccept(descriptorOf(server), firstBytesSeconds);
        const address = server.address();
        const found = typeof address === "object" && address !== null ? address.port : port;
        resolve({ port: found, close: () => void server.close() });
      });
    });
  }

  close(): void {
    this.server.close();
    for (const socket of this.waiting) socket.destroy();
    this.old.close();
  }

  private sort(socket: Socket, until: number, lookMs: number): void {
    this.waiting.delete(socket);
    if (socket.destroyed) return;
    const mayWait = performance.now() < until && this.waiting.size < maxWaiting;
    let own = -1;
    try {
      own = this.options.sockets.takeSocket(descriptorOf(socket), mayWait);
    } catch {
      this.options.refused();
      socket.destroy();
      return;
    }
    if (own === -2) {
      this.waiting.add(socket);
      setTimeout(() => this.sort(socket, until, Math.min(lookMs * 1.5, slowestLookMs)), lookMs);
      return;
    }
    if (own < 0) {
      this.old.take(socket);
      return;
    }
    // The other descriptor keeps the connection open.
    socket.destroy();
    this.options.adopt(own);
  }

  private connectInside(): Socket {
    const { sockets, adopt } = this.options;
    const [mine, theirs] = sockets.socketPair();
    adopt(theirs);
    try {
      return new Socket({ fd: mine, readable: true, writable: true });
    } catch (error) {
      sockets.closeSocket(mine);
      throw error;
    }
  }
}

/** Node has no public way to it. */
function descriptorOf(owner: Server | Socket): number {
  const { _handle: handle } = owner as unknown as { readonly _handle: { readonly fd: number } | null };
  if (handle === null || handle.fd < 0) throw new Error("the socket is closed");
  return handle.fd;
}
