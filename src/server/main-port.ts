/** One port that main serves itself (management, metrics), over HTTP or HTTPS. Thread: main. */

import { Entrance } from "../http/entrance.js";
import type { Listening } from "../http/listener.js";
import { Port, type PortOptions } from "../http/port.js";
import { SortedEntrance } from "../http/sorted-entrance.js";
import type { TlsFiles } from "../http/raw.js";
import type { SocketCalls } from "../types.js";
import type { BodyStore, Dialect } from "../wire.js";
import type { ThreadLimits } from "./messages.js";

/** What differs between main's ports. */
export interface MainPortOptions {
  readonly dialect: Dialect;
  readonly store: BodyStore;
  readonly limits: ThreadLimits;
  readonly tls: TlsFiles | undefined;
}

interface MainPortSetup extends Omit<PortOptions, "port"> {
  /** For HTTP/1.0 beside HTTP/1.1, without TLS; undefined: the latter alone. */
  readonly sockets: SocketCalls | undefined;
}

export class MainPort {
  private readonly port: Port;
  private readonly options: PortOptions;
  private readonly sorted: SortedEntrance | undefined;
  private entrance: Entrance | undefined;
  private number = 0;

  constructor({ sockets, ...options }: MainPortSetup) {
    this.options = { ...options, port: () => this.number };
    this.port = new Port(this.options);
    const { limits, state, tls } = options;
    if (sockets === undefined || tls !== undefined) return;
    this.sorted = new SortedEntrance({
      sockets,
      adopt: (fd) => void this.port.app.adoptSocket(fd),
      header: limits.proxyHeader,
      refused: () => state.count("refused_descriptors"),
    });
  }

  async listen(host: string, port: number): Promise<Listening> {
    const { listener, tls } = this.options;
    if (tls !== undefined) {
      this.entrance = new Entrance(listener, tls);
      this.entrance.add(this.port.app.getDescriptor());
    }
    const entrance = this.entrance ?? this.sorted;
    const listening = await (entrance?.listen(host, port) ?? listener.listen(this.port.app, host, port));
    this.number = listening.port;
    return listening;
  }

  /** New connections meet this certificate. Without effect on a port that speaks HTTP. */
  renew(tls: TlsFiles): void {
    const old: unknown = this.port.app.getDescriptor();
    if (this.entrance !== undefined) this.entrance.exchange(old, this.port.renew(tls).getDescriptor());
  }

  close(): void {
    this.port.close();
    this.sorted?.close();
    this.entrance?.close();
  }
}

/** The metrics port has no use for bodies: they are read, so that their connection can go on, and forgotten. */
export const noBodies = {
  bodyAppend: (): void => undefined,
  bodySize: () => 0,
  bodyDrop: (): void => undefined,
};
