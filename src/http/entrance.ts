/**
 * A listening app that serves nothing itself: it deals its connections to other apps in turn, which may live on other
 * threads and may be exchanged while it listens. Thread: main.
 */

import type { Listener, Listening } from "./listener.js";
import type { RawApp, TlsFiles } from "./raw.js";

export class Entrance {
  private readonly listener: Listener;
  private readonly acceptor: RawApp;

  constructor(listener: Listener, tls: TlsFiles | undefined) {
    this.listener = listener;
    this.acceptor = listener.createApp(tls);
  }

  /** The app's thread must outlive the entrance, or the app be taken away first. */
  add(descriptor: unknown): void {
    this.acceptor.addChildAppDescriptor(descriptor);
  }

  /** New connections go to `next`; those of `old` stay with it. */
  exchange(old: unknown, next: unknown): void {
    this.acceptor.addChildAppDescriptor(next);
    this.acceptor.removeChildAppDescriptor(old);
  }

  listen(host: string, port: number): Promise<Listening> {
    return this.listener.listen(this.acceptor, host, port);
  }

  close(): void {
    this.acceptor.close();
  }
}
