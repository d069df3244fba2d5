/**
 * A listening socket with caps on its connections, in total and per address; a connection over a cap is closed before
 * anything is read. What comes in is handed on as it is. Thread: the one that made it.
 */

import { createServer, type Server, type Socket } from "node:net";
import { ServerError } from "../errors.js";

export interface SocketCaps {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export class CappedSockets {
  private readonly caps: SocketCaps;
  private readonly counted: (change: number) => void;
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  private readonly byAddress = new Map<string, number>();

  /** `counted` is told +1 and -1. */
  constructor(caps: SocketCaps, accept: (socket: Socket) => void, counted: (change: number) => void) {
    this.caps = caps;
    this.counted = counted;
    this.server = createServer({ noDelay: true }, (socket) => {
      if (this.admit(socket)) accept(socket);
      else socket.destroy();
    });
  }

  /** Resolves with the port (0: any free one was taken); rejects naming host and port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const refused = (cause: NodeJS.ErrnoException): void =>
        reject(new ServerError("conflict", `Cannot listen on ${host}:${port} for gRPC: ${why(cause)}.`, { cause }));
      this.server.once("error", refused);
      this.server.listen({ host, port, exclusive: true }, () => {
        this.server.off("error", refused);
        const address = this.server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Stops accepting; open connections go on. */
  close(): void {
    this.server.close();
  }

  destroyAll(): void {
    for (const socket of this.open) socket.destroy();
  }

  private admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? "";
    const same = (this.byAddress.get(address) ?? 0) + 1;
    if (this.open.size >= this.caps.maxConnections || same > this.caps.maxConnectionsPerAddress) return false;
    this.open.add(socket);
    this.byAddress.set(address, same);
    this.counted(1);
    // A peer that resets is no news; without a listener it would end the thread.
    socket.on("error", () => undefined);
    socket.once("close", () => this.left(socket, address));
    return true;
  }

  private left(socket: Socket, address: string): void {
    this.open.delete(socket);
    this.counted(-1);
    const rest = (this.byAddress.get(address) ?? 1) - 1;
    if (rest > 0) this.byAddress.set(address, rest);
    else this.byAddress.delete(address);
  }
}

function why(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case "EADDRINUSE":
      return "the port is taken";
    case "EACCES":
      return "the port is not allowed";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "the address is not this machine's";
    case undefined:
    default:
      return cause.message;
  }
}
