/**
 * A listening socket with caps on its connections, in total, per address and by the descriptors left; a connection over a
 * cap is closed before anything is read. What comes in is handed on as it is, or as what is inside its TLS. Thread: the one that made it.
 */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { Descriptors } from "../config/descriptors.js";
import { ServerError } from "../errors.js";
import type { RefusalReason, RpcCounters } from "../metrics/rpc-counters.js";

/** PEM texts of a certificate chain and its key. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
}

/** A handshake that takes longer ends its connection. */
const handshakeTimeoutMs = 10_000;

export interface SocketCaps {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Addresses without a cap of their own; absent: none. */
  readonly exempt?: (address: string) => boolean;
}

type ConnectionCounters = Pick<RpcCounters, "addConnections" | "countRefused">;

export class CappedSockets {
  private readonly caps: SocketCaps;
  private readonly counters: ConnectionCounters;
  private readonly descriptors = new Descriptors();
  private readonly server: Server;
  /** Never listens: it is given what was admitted. */
  private readonly tls: TlsServer | undefined;
  private readonly open = new Set<Socket>();
  private readonly byAddress = new Map<string, number>();

  constructor(caps: SocketCaps, accept: (socket: Socket) => void, counters: ConnectionCounters, tls?: TlsTexts) {
    this.caps = caps;
    this.counters = counters;
    this.tls = tls && tlsServer(tls, accept);
    this.server = createServer({ noDelay: true }, (socket) => {
      const refusal = this.refusalOf(socket);
      if (refusal !== undefined) {
        counters.countRefused(refusal);
        socket.destroy();
        return;
      }
      this.admit(socket);
      if (this.tls === undefined) accept(socket);
      else this.tls.emit("connection", socket);
    });
  }

  /** New connections meet this certificate; throws when it is none. Without effect where TLS is not spoken. */
  renew(tls: TlsTexts): void {
    this.tls?.setSecureContext(secured(tls));
  }

  /** Resolves with the port (0: any free one was taken); rejects naming host and port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const refused = (cause: NodeJS.ErrnoException): void =>
        reject(new ServerError("conflict", `Cannot listen on ${host}:${port} for gRPC: ${why(cause)}.`, { cause }));
      this.server.once("error", refused);
      this.server.listen({ host, port, exclusive: true }, () => {
        this.server.off("error", refused);
        // A connection that could not be accepted, as no descriptor was left for it.
        this.server.on("error", () => this.counters.countRefused("descriptors"));
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

  private refusalOf({ remoteAddress: address = "" }: Socket): RefusalReason | undefined {
    const { maxConnections, maxConnectionsPerAddress, exempt } = this.caps;
    if (this.open.size >= maxConnections) return "total";
    const same = this.byAddress.get(address) ?? 0;
    if (same >= maxConnectionsPerAddress && exempt?.(address) !== true) return "address";
    return this.descriptors.refuses(this.open.size) ? "descriptors" : undefined;
  }

  private admit(socket: Socket): void {
    const { remoteAddress: address = "" } = socket;
    this.open.add(socket);
    this.byAddress.set(address, (this.byAddress.get(address) ?? 0) + 1);
    this.counters.addConnections(1);
    // A peer that resets is no news; without a listener it would end the thread.
    socket.on("error", () => undefined);
    socket.once("close", () => this.left(socket, address));
  }

  private left(socket: Socket, address: string): void {
    this.open.delete(socket);
    this.counters.addConnections(-1);
    const rest = (this.byAddress.get(address) ?? 1) - 1;
    if (rest > 0) this.byAddress.set(address, rest);
    else this.byAddress.delete(address);
  }
}

const secured = (tls: TlsTexts) => ({ ...tls, minVersion: "TLSv1.2" }) as const;

function tlsServer(tls: TlsTexts, accept: (socket: Socket) => void): TlsServer {
  const options = { ...secured(tls), ALPNProtocols: ["h2"], handshakeTimeout: handshakeTimeoutMs };
  const server = createTlsServer(options, (socket) => {
    socket.on("error", () => undefined);
    // gRPC is HTTP/2 alone.
    if (socket.alpnProtocol === "h2") accept(socket);
    else socket.destroy();
  });
  // Plain text, an old version, a peer that left: its connection is no use.
  return server.on("tlsClientError", (_, socket) => socket.destroy());
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
