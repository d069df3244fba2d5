/**
 * Main's side of the HTTP threads: starts them, hands them connections, tells them of handlers and waits until all know,
 * drains them. With no threads asked for, one inference server sits on main itself, behind the same interface.
 */

import { Worker } from "node:worker_threads";
import type { Manage } from "../api/grpc/management.js";
import type { Engine } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import { Entrance } from "../http/entrance.js";
import type { Listener, Listening } from "../http/listener.js";
import type { TlsFiles } from "../http/raw.js";
import { HttpState } from "../metrics/http-counters.js";
import type { LoadWaits } from "../metrics/load-waits.js";
import { SortedEntrance } from "../http/sorted-entrance.js";
import type { ModelEntry } from "../models/models.js";
import type { Log } from "../telemetry/log.js";
import type { SocketCalls } from "../types.js";
import type { RelayDesk } from "./relay.js";
import { InferenceServer } from "./inference-server.js";
import type { Announcement, FromThread, LogMessage, ThreadLimits, ThreadSetup, ToThread } from "./messages.js";

export interface InferenceThreads {
  /** Resolves when every thread has the handler. */
  announce(announcement: Announcement): Promise<void>;
  /** These resolve when every thread knows, too. */
  setDefault(name: string, version: string): Promise<void>;
  withdraw(name: string, version: string): Promise<void>;
  setUnready(entries: readonly ModelEntry[]): Promise<void>;
  listen(host: string, port: number): Promise<Listening>;
  /** New connections meet this certificate, on every thread or, when it rejects, perhaps on some. */
  renew(tls: TlsFiles): Promise<void>;
  /** After the listen socket is closed. Resolves with the number of requests cut. */
  drain(timeoutMs: number): Promise<number>;
}

export interface ThreadsOptions {
  readonly count: number;
  readonly engine: Engine;
  readonly engineModule: string;
  readonly listener: Listener;
  readonly memory: SharedArrayBuffer;
  /** The first region of the shared state that the threads use. */
  readonly firstRegion: number;
  readonly limits: ThreadLimits;
  /** HTTPS instead of HTTP. */
  readonly tls: TlsFiles | undefined;
  readonly log: Log;
  readonly writeAccess: (lines: string) => void;
  readonly waits: LoadWaits;
  /** Undefined: management has a port of its own. */
  readonly relay?: RelayDesk | undefined;
  /** For HTTP/1.0 beside HTTP/1.1; undefined: the latter alone. */
  readonly sockets?: SocketCalls | undefined;
}

/** Starts the threads; rejects when one cannot. */
export async function startThreads(options: ThreadsOptions): Promise<InferenceThreads> {
  if (options.count === 0) return new OnMain(options);
  const threads = Array.from({ length: options.count }, (_, index) => httpThread(options, options.firstRegion + index));
  const entrance = new Entrance(options.listener, options.tls);
  for (const thread of threads) entrance.add(await thread.ready);
  let turn = 0;
  const adopt = (fd: number): void => threads[turn++ % threads.length]?.say({ type: "adopt", fd });
  return new OnThreads(threads, entrance, sorted(options, adopt));
}

/** Where HTTP/1.0 is spoken. A first line under TLS nobody can look at. */
function sorted(
  { sockets, tls, limits, memory }: ThreadsOptions,
  adopt: (fd: number) => void,
): SortedEntrance | undefined {
  if (sockets === undefined || tls !== undefined) return undefined;
  // Main's region.
  const state = new HttpState(memory, 0);
  const refused = (): void => state.count("refused_descriptors");
  return new SortedEntrance({ sockets, adopt, header: limits.proxyHeader, refused });
}

class OnMain implements InferenceThreads {
  private readonly server: InferenceServer;
  private readonly entrance: Entrance;
  private readonly sorted: SortedEntrance | undefined;

  constructor(options: ThreadsOptions) {
    const { engine, listener, memory, firstRegion, limits, tls, log, writeAccess } = options;
    this.server = new InferenceServer({
      engine,
      listener,
      state: new HttpState(memory, firstRegion),
      limits,
      door: engine.openDoor?.(),
      scripts: engine.openScriptDoor?.(),
      tls,
      report: (level, message, fields) => log[level](message, fields),
      writeAccess,
      waited: options.waits.add,
      relay: options.relay?.open(),
    });
    this.entrance = new Entrance(listener, tls);
    this.entrance.add(this.server.app.getDescriptor());
    this.sorted = sorted(options, (fd) => void this.server.app.adoptSocket(fd));
  }

  announce(announcement: Announcement): Promise<void> {
    this.server.announce(announcement);
    return Promise.resolve();
  }
  setDefault(name: string, version: string): Promise<void> {
    this.server.setDefault(name, version);
    return Promise.resolve();
  }
  withdraw(name: string, version: string): Promise<void> {
    this.server.withdraw(name, version);
    return Promise.resolve();
  }
  setUnready(entries: readonly ModelEntry[]): Promise<void> {
    this.server.setUnready(entries);
    return Promise.resolve();
  }
  async listen(host: string, port: number): Promise<Listening> {
    const listening = await (this.sorted ?? this.entrance).listen(host, port);
    this.server.listening(listening.port);
    return listening;
  }
  renew(tls: TlsFiles): Promise<void> {
    const old: unknown = this.server.app.getDescriptor();
    this.entrance.exchange(old, this.server.renew(tls).getDescriptor());
    return Promise.resolve();
  }
  async drain(timeoutMs: number): Promise<number> {
    const cut = await this.server.drain(timeoutMs);
    this.sorted?.close();
    this.entrance.close();
    return cut;
  }
}

class OnThreads implements InferenceThreads {
  private readonly threads: readonly Thread[];
  private readonly entrance: Entrance;
  private readonly sorted: SortedEntrance | undefined;

  constructor(threads: readonly Thread[], entrance: Entrance, sorted: SortedEntrance | undefined) {
    this.threads = threads;
    this.entrance = entrance;
    this.sorted = sorted;
  }

  announce(announcement: Announcement): Promise<void> {
    return this.tell((id) => ({ type: "handler", id, announcement }));
  }
  setDefault(name: string, version: string): Promise<void> {
    return this.tell((id) => ({ type: "default", id, name, version }));
  }
  withdraw(name: string, version: string): Promise<void> {
    return this.tell((id) => ({ type: "withdraw", id, name, version }));
  }
  setUnready(entries: readonly ModelEntry[]): Promise<void> {
    return this.tell((id) => ({ type: "unready", id, entries }));
  }
  private async tell(message: (id: number) => ToThread): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.tell(message)));
  }
  async listen(host: string, port: number): Promise<Listening> {
    const listening = await (this.sorted ?? this.entrance).listen(host, port);
    for (const thread of this.threads) thread.say({ type: "listening", port: listening.port });
    return listening;
  }
  async renew(tls: TlsFiles): Promise<void> {
    for (const thread of this.threads) {
      const { old, next } = await thread.renew(tls);
      this.entrance.exchange(old, next);
    }
  }
  async drain(timeoutMs: number): Promise<number> {
    const cuts = await Promise.all(this.threads.map((thread) => thread.drain(timeoutMs)));
    this.sorted?.close();
    this.entrance.close();
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }
}

export interface ThreadOptions {
  readonly entry: URL;
  readonly name: string;
  readonly setup: ThreadSetup;
  readonly log: Log;
  readonly writeAccess: (lines: string) => void;
  /** Only the gRPC thread asks. */
  readonly manage?: Manage;
  readonly waited?: Waited;
}

/** A request has waited for this version to be loaded. */
type Waited = (name: string, version: string) => void;

function httpThread(options: ThreadsOptions, region: number): Thread {
  const { memory, engine, engineModule, limits, tls, log, writeAccess } = options;
  const door = engine.openDoor?.();
  const scripts = engine.openScriptDoor?.();
  const setup: ThreadSetup = {
    index: region,
    memory,
    engineModule,
    limits,
    door,
    scripts,
    tls,
    relay: options.relay?.open(),
  };
  const entry = new URL("./thread.js", import.meta.url);
  return new Thread({ entry, name: `http-${region}`, setup, log, writeAccess, waited: options.waits.add });
}

/** One worker thread as main sees it. */
export class Thread {
  /** What the thread gives main when it is ready: an app's descriptor, or ports. */
  readonly ready: Promise<unknown>;
  private descriptor: unknown;
  private renewing: { readonly resolve: (next: unknown) => void; readonly reject: (error: Error) => void } | undefined;
  private readonly worker: Worker;
  private readonly log: Log;
  private readonly writeAccess: (lines: string) => void;
  private readonly manage: Manage | undefined;
  private readonly waited: Waited | undefined;
  private readonly acks = new Map<number, () => void>();
  private readonly ended: Promise<number>;
  private nextId = 1;
  private cut = 0;
  private gone = false;

  constructor({ entry, name, setup, log, writeAccess, manage, waited }: ThreadOptions) {
    this.manage = manage;
    this.waited = waited;
    this.log = log;
    this.writeAccess = writeAccess;
    const transferList = [setup.door, setup.scripts, setup.relay].filter((each) => each !== undefined);
    this.worker = new Worker(entry, { workerData: setup, name, transferList });
    this.ended = new Promise((resolve) => this.worker.once("exit", resolve));
    void this.ended.then(() => {
      this.gone = true;
      for (const acked of this.acks.values()) acked();
      this.acks.clear();
    });
    this.ready = new Promise((resolve, reject) => {
      this.worker.once("error", (error) => reject(startFailure(error)));
      this.worker.on("message", (message: FromThread) => {
        if (message.type === "failed") reject(new ServerError(message.code, message.message));
        else this.heard(message, resolve);
      });
    });
    this.worker.on("error", (error) => this.log.error("a thread failed", { thread: name, error }));
  }

  say(message: ToThread): void {
    this.worker.postMessage(message);
  }

  /** Resolves when the thread has done it, or has ended. */
  tell(message: (id: number) => ToThread): Promise<void> {
    const id = this.nextId++;
    if (this.gone) return Promise.resolve();
    return new Promise((resolve) => {
      this.acks.set(id, resolve);
      this.say(message(id));
    });
  }

  /** One at a time. */
  async renew(tls: TlsFiles): Promise<{ readonly old: unknown; readonly next: unknown }> {
    const old = this.descriptor;
    const next = await new Promise((resolve, reject) => {
      this.renewing = { resolve, reject };
      this.say({ type: "renew", tls });
    });
    this.descriptor = next;
    return { old, next };
  }

  async drain(timeoutMs: number): Promise<number> {
    this.say({ type: "drain", timeoutMs });
    await this.ended;
    return this.cut;
  }

  private heard(message: Exclude<FromThread, { type: "failed" }>, ready: (descriptor: unknown) => void): void {
    switch (message.type) {
      case "ready": {
        this.descriptor = message.descriptor;
        ready(message.descriptor);
        return;
      }
      case "renewed": {
        this.renewing?.resolve(message.descriptor);
        return;
      }
      case "notRenewed": {
        this.renewing?.reject(new ServerError("internal", message.reason));
        return;
      }
      case "ack": {
        this.acked(message.id);
        return;
      }
      case "manage": {
        void this.manage?.(message.request).then((outcome) => this.say({ type: "managed", id: message.id, outcome }));
        return;
      }
      case "drained":
        this.cut = message.cut;
        return;
      case "access":
        this.writeAccess(message.lines);
        return;
      case "waited":
        this.waited?.(message.name, message.version);
        return;
      case "log": {
        this.logged(message);
        return;
      }
    }
  }

  private acked(id: number): void {
    this.acks.get(id)?.();
    this.acks.delete(id);
  }

  private logged({ level, message, fields }: LogMessage): void {
    this.log[level](message, fields);
  }
}

function startFailure(cause: unknown): ServerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ServerError("internal", `A thread did not start: ${why}`, { cause });
}
