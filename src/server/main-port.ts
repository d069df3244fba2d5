/** One port that main serves itself (management, metrics), over HTTP or HTTPS. Thread: main. */

import { ServerError } from "../errors.js";
import { Entrance } from "../http/entrance.js";
import type { Listening } from "../http/listener.js";
import { Port, type PortOptions } from "../http/port.js";
import type { TlsFiles } from "../http/raw.js";
import type { BodyStore, Dialect } from "../wire.js";
import type { ThreadLimits } from "./messages.js";

/** What differs between main's ports. */
export interface MainPortOptions {
  readonly dialect: Dialect;
  readonly store: BodyStore;
  readonly limits: ThreadLimits;
  readonly tls: TlsFiles | undefined;
}

export class MainPort {
  private readonly port: Port;
  private readonly options: PortOptions;
  private entrance: Entrance | undefined;
  private number = 0;

  constructor(options: Omit<PortOptions, "port">) {
    this.options = { ...options, port: () => this.number };
    this.port = new Port(this.options);
  }

  async listen(host: string, port: number): Promise<Listening> {
    const { listener, tls } = this.options;
    if (tls !== undefined) {
      this.entrance = new Entrance(listener, tls);
      this.entrance.add(this.port.app.getDescriptor());
    }
    const listening = await (this.entrance?.listen(host, port) ?? listener.listen(this.port.app, host, port));
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
    this.entrance?.close();
  }
}

/** The metrics port reads no bodies: a request with one is refused by its verb. */
export const noBodies = {
  bodyAppend: (): void => {
    throw new ServerError("payload_too_large", "This port takes no bodies.");
  },
  bodySize: () => 0,
  bodyDrop: (): void => undefined,
};
