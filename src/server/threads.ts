/**
 * Main's side of the HTTP threads: starts them, hands them connections, tells them of handlers and waits until all know,
 * drains them. With no threads asked for, one inference server sits on main itself, behind the same interface.
 */

import { Worker } from "node:worker_threads";
import type { Engine } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import { type Listener, type Listening } from "../http/listener.js";
import type { RawApp } from "../http/raw.js";
import { HttpState } from "../metrics/http-counters.js";
import type { ModelEntry } from "../models/models.js";
import type { Log } from "../telemetry/log.js";
import { InferenceServer } from "./inference-server.js";
import type { Announcement, FromThread, LogMessage, ThreadLimits, ThreadSetup, ToThread } from "./messages.js";

export interface InferenceThreads {
  /** Resolves when every thread has the handler. */
  announce(announcement: Announcement): Promise<void>;
  setUnready(entries: readonly ModelEntry[]): void;
  listen(host: string, port: number): Promise<Listening>;
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
  readonly log: Log;
  readonly writeAccess: (lines: string) => void;
}

/** Starts the threads; rejects when one cannot. */
export async function startThreads(options: ThreadsOptions): Promise<InferenceThreads> {
  if (options.count === 0) return new OnMain(options);
  const threads = Array.from({ length: options.count }, (_, index) => new Thread(options, options.firstRegion + index));
  const acceptor = options.listener.createApp();
  for (const thread of threads) acceptor.addChildAppDescriptor(await thread.ready);
  return new OnThreads(threads, acceptor, options.listener);
}

class OnMain implements InferenceThreads {
  private readonly server: InferenceServer;
  private readonly listener: Listener;

  constructor(options: ThreadsOptions) {
    const { engine, listener, memory, firstRegion, limits, log, writeAccess } = options;
    this.listener = listener;
    this.server = new InferenceServer({
      engine,
      listener,
      state: new HttpState(memory, firstRegion),
      limits,
      report: (level, message, fields) => log[level](message, fields),
      writeAccess,
    });
  }

  announce(announcement: Announcement): Promise<void> {
    this.server.announce(announcement);
    return Promise.resolve();
  }
  setUnready(entries: readonly ModelEntry[]): void {
    this.server.setUnready(entries);
  }
  async listen(host: string, port: number): Promise<Listening> {
    const listening = await this.listener.listen(this.server.app, host, port);
    this.server.listening(listening.port);
    return listening;
  }
  drain(timeoutMs: number): Promise<number> {
    return this.server.drain(timeoutMs);
  }
}

class OnThreads implements InferenceThreads {
  private readonly threads: readonly Thread[];
  private readonly acceptor: RawApp;
  private readonly listener: Listener;

  constructor(threads: readonly Thread[], acceptor: RawApp, listener: Listener) {
    this.threads = threads;
    this.acceptor = acceptor;
    this.listener = listener;
  }

  async announce(announcement: Announcement): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.announce(announcement)));
  }
  setUnready(entries: readonly ModelEntry[]): void {
    for (const thread of this.threads) thread.say({ type: "unready", entries });
  }
  async listen(host: string, port: number): Promise<Listening> {
    const listening = await this.listener.listen(this.acceptor, host, port);
    for (const thread of this.threads) thread.say({ type: "listening", port: listening.port });
    return listening;
  }
  async drain(timeoutMs: number): Promise<number> {
    const cuts = await Promise.all(this.threads.map((thread) => thread.drain(timeoutMs)));
    this.acceptor.close();
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }
}

/** One worker thread as main sees it. */
class Thread {
  /** The app's descriptor, for the acceptor. */
  readonly ready: Promise<unknown>;
  private readonly worker: Worker;
  private readonly log: Log;
  private readonly writeAccess: (lines: string) => void;
  private readonly acks = new Map<number, () => void>();
  private readonly ended: Promise<number>;
  private nextId = 1;
  private cut = 0;

  constructor(options: ThreadsOptions, region: number) {
    const { memory, engineModule, limits } = options;
    const setup: ThreadSetup = { index: region, memory, engineModule, limits };
    this.log = options.log;
    this.writeAccess = options.writeAccess;
    this.worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: setup, name: `http-${region}` });
    this.ended = new Promise((resolve) => this.worker.once("exit", resolve));
    this.ready = new Promise((resolve, reject) => {
      this.worker.once("error", (error) => reject(startFailure(error)));
      this.worker.on("message", (message: FromThread) => this.heard(message, resolve));
    });
    this.worker.on("error", (error) => this.log.error("an HTTP thread failed", { error }));
  }

  say(message: ToThread): void {
    this.worker.postMessage(message);
  }

  announce(announcement: Announcement): Promise<void> {
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.acks.set(id, resolve);
      this.say({ type: "handler", id, announcement });
    });
  }

  async drain(timeoutMs: number): Promise<number> {
    this.say({ type: "drain", timeoutMs });
    await this.ended;
    return this.cut;
  }

  private heard(message: FromThread, ready: (descriptor: unknown) => void): void {
    switch (message.type) {
      case "ready": {
        ready(message.descriptor);
        return;
      }
      case "ack": {
        this.acked(message.id);
        return;
      }
      case "drained":
        this.cut = message.cut;
        return;
      case "access":
        this.writeAccess(message.lines);
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
  return new ServerError("internal", `An HTTP thread did not start: ${why}`, { cause });
}
