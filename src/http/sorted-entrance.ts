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
/** A client that sends nothing is accepted after about so many seconds, and taken for one of HTTP/1.1. */
const firstBytesSeconds = 1;

export interface SortedEntranceOptions {
  readonly sockets: SocketCalls;
  /** Gives a connection to one of the apps, which owns the descriptor from then on. */
  readonly adopt: (fd: number) => void;
  readonly header: ProxyOptions["proxyHeader"];
}

export class SortedEntrance {
  private readonly options: SortedEntranceOptions;
  private readonly server: Server;
  private readonly old: OldHttp;

  constructor(options: SortedEntranceOptions) {
    this.options = options;
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.sort(socket));
    this.old = new OldHttp({ connect: () => this.connectInside(), header: options.header });
  }

  listen(host: string, port: number): Promise<Listening> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      // Later errors are of single connections, for which no descriptor is left.
      server.on("error", () => reject(new ServerError("conflict", cannotListen(host, port))));
      server.listen({ host, port, backlog, exclusive: true }, () => {
        this.options.sockets.deferAccept(descriptorOf(server), firstBytesSeconds);
        const address = server.address();
        const found = typeof address === "object" && address !== null ? address.port : port;
        resolve({ port: found, close: () => void server.close() });
      });
    });
  }

  close(): void {
    this.server.close();
    this.old.close();
  }

  private sort(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    let own = -1;
    try {
      own = this.options.sockets.takeSocket(descriptorOf(socket));
    } catch {
      // No descriptor is left for it.
      socket.destroy();
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
