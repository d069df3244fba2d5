/**
 * A thread's ways to handlers in TypeScript: one port to each handler's thread, asked of main when it is first needed and
 * again when the handler's thread has ended. Requests that it had are sent again, but for the one that is known to have
 * ended it; where that is unknown, those that it had taken up are tried one by one (trial.ts). Each HTTP thread and the gRPC
 * thread has one.
 */
import { randomUUID } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import { ServerError } from "../errors.js";
import type { AnswerHead, HandlerRequest, Packed, Refused, Reply, ScriptDoor } from "../handlers/handler.js";
import type { ScriptSpec } from "../types.js";
import { ownBytes } from "../worker/ask.js";
import {
  type FromDesk,
  type FromHandler,
  linkWords,
  type ToDesk,
  type ToHandler,
  type WireRequest,
} from "./messages.js";
import { InputReply } from "./input-reply.js";
import { beginSpan } from "./span.js";
import { Trial } from "./trial.js";
import { Vigil } from "./vigil.js";

/** What --linger-us is multiplied with: an answer takes two hops and the model. */
const vigilLingers = 2;

export class Scripts implements ScriptDoor {
  private readonly desk: MessagePort;
  private readonly ways = new Map<string, Way>();
  private readonly vigilMs: number;

  /** `lingerMs`: how long the thread stays awake for a next request; 0: it never does. */
  constructor(desk: MessagePort, lingerMs: number) {
    this.desk = desk;
    this.vigilMs = lingerMs * vigilLingers;
    desk.on("message", (answer: FromDesk) => this.ways.get(answer.key)?.answered(answer));
    // The thread lives by its listeners, not by this.
    desk.unref();
  }

  serve(script: ScriptSpec, request: HandlerRequest, reply: Reply, timeoutMs: number): void {
    this.way(script).serve(request, reply, timeoutMs);
  }

  prepare(script: ScriptSpec, request: HandlerRequest, timeoutMs: number): Promise<Packed | Refused> {
    return new Promise((resolve, reject) => {
      this.way(script).serve(request, new InputReply(resolve, reject), timeoutMs);
    });
  }

  private way(script: ScriptSpec): Way {
    let way = this.ways.get(script.key);
    if (way === undefined) {
      const { key, maxWaiting } = script;
      const ask = (): void => this.desk.postMessage({ key } satisfies ToDesk);
      way = new Way(maxWaiting, ask, () => void this.ways.delete(key), new Vigil(this.vigilMs));
      this.ways.set(key, way);
    }
    return way;
  }
}

interface Sent {
  readonly ask: number;
  readonly wire: WireRequest;
  readonly reply: Reply;
  readonly timeoutMs: number;
  /** Its place among those sent by this port, from 1; 0: not sent yet. */
  order: number;
  /** It was with a thread that ended, and has not been tried since. */
  suspect: boolean;
  /** Part of its answer is with the client. */
  streams: boolean;
}

/** To one handler. */
class Way {
  private readonly maxWaiting: number;
  private readonly askDesk: () => void;
  private readonly forget: () => void;
  private readonly vigil: Vigil;
  private readonly sent = new Map<number, Sent>();
  private port: MessagePort | undefined;
  private words: Int32Array = new Int32Array(linkWords.count);
  private trial = new Trial();
  /** Requests are tried one by one; others wait. */
  private tries = false;
  private asked = false;
  private order = 0;
  private next = 1;

  constructor(maxWaiting: number, askDesk: () => void, forget: () => void, vigil: Vigil) {
    this.maxWaiting = maxWaiting;
    this.askDesk = askDesk;
    this.forget = forget;
    this.vigil = vigil;
  }

  serve(request: HandlerRequest, reply: Reply, timeoutMs: number): void {
    if (this.sent.size >= this.maxWaiting) {
      const words = `${this.maxWaiting} requests are with the handler (--job-queue-size or the model's jobQueueSize); try again later.`;
      throw new ServerError("queue_full", words);
    }
    const ask = this.next++;
    const one: Sent = { ask, wire: wireOf(request), reply, timeoutMs, order: 0, suspect: false, streams: false };
    this.sent.set(ask, one);
    request.onAbort(() => {
      this.give(one);
      if (reply instanceof InputReply) reply.gone();
    });
    if (this.port === undefined) this.connect();
    else if (!this.tries) this.send(one);
  }

  answered(answer: FromDesk): void {
    this.asked = false;
    if ("code" in answer) {
      for (const { reply } of this.sent.values()) reply.fail(answer.code, answer.message);
      this.sent.clear();
      this.forget();
      return;
    }
    const { port, link, trial } = answer;
    this.trial = new Trial(trial);
    this.port = port;
    this.words = new Int32Array(link);
    this.order = 0;
    port.on("message", (message: FromHandler) => this.heard(message));
    port.on("close", () => this.closed(port));
    port.unref();
    this.sendWaiting();
  }

  private connect(): void {
    if (this.asked) return;
    this.asked = true;
    this.askDesk();
  }

  /** One that is to be tried, or else all. */
  private sendWaiting(): void {
    if (this.port === undefined) return;
    const all = [...this.sent.values()];
    const suspect = all.find((one) => one.suspect);
    this.tries = suspect !== undefined;
    const due = suspect === undefined ? all : this.trial.begin(() => this.sendWaiting()) ? [suspect] : [];
    for (const one of due) if (one.order === 0) this.send(one);
  }

  /** It is answered, or nobody waits for it. */
  private settled(one: Sent): void {
    this.sent.delete(one.ask);
    if (!this.tries) return;
    if (one.suspect && one.order > 0) this.trial.end();
    this.sendWaiting();
  }

  private send(one: Sent): void {
    one.order = ++this.order;
    const { ask, wire: request, timeoutMs } = one;
    this.port?.postMessage({ ask, request, timeoutMs } satisfies ToHandler);
    this.trial.sent();
    this.vigil.began(this.sent.size);
  }

  /** Nobody waits any more. */
  private give(one: Sent): void {
    const { ask, order } = one;
    if (!this.sent.has(ask)) return;
    if (order > 0) {
      this.vigil.ended();
      this.port?.postMessage({ cancel: ask } satisfies ToHandler);
    }
    this.settled(one);
  }

  private heard(message: FromHandler): void {
    const one = this.sent.get(message.ask);
    if (one === undefined) return;
    this.vigil.ended();
    if (message.part !== undefined || message.end === true) {
      this.streamed(one, message);
      return;
    }
    this.trial.answered();
    this.settled(one);
    settle(one.reply, message);
  }

  private streamed(one: Sent, { part, end, status, contentType, headers }: FromHandler): void {
    const { ask, reply } = one;
    one.streams = true;
    if (contentType !== undefined) reply.open(headOf(status, contentType, headers));
    if (end === true) {
      this.trial.answered();
      this.settled(one);
      reply.end();
    } else if (part !== undefined) {
      const taken = (): void => this.port?.postMessage({ taken: ask } satisfies ToHandler);
      if (reply.part(typeof part === "string" ? utf8.encode(part) : part)) taken();
      else void reply.ready().then(taken);
    }
  }

  private fail({ ask, reply }: Sent, code: "handler_timeout" | "worker_died", message: string): void {
    this.sent.delete(ask);
    reply.fail(code, message);
  }

  /** The handler's thread is gone. */
  private closed(port: MessagePort): void {
    if (this.port !== port) return;
    this.port = undefined;
    const begun = Atomics.load(this.words, linkWords.begun);
    const hung = Atomics.load(this.words, linkWords.hung) === 1;
    const running = Atomics.load(this.words, linkWords.running);
    const { lone, runs } = this.trial;
    for (const one of [...this.sent.values()]) {
      const { order, suspect, streams } = one;
      one.order = 0;
      if (order === 0 || order > begun) continue;
      const guilty = lone || (suspect && runs);
      if (hung && (guilty || order === running)) this.fail(one, "handler_timeout", hungWords);
      else if (guilty || streams) this.fail(one, "worker_died", hung ? besideHung : endedWords);
      // Of one that hung it is known which hook ran, unless that had returned a promise.
      else one.suspect ||= !hung || running === 0;
    }
    if (this.sent.size > 0) this.connect();
  }
}

const hungWords =
  "The handler's hook did not return within its time limit (--hook-timeout, or the model's sconce.handler.hookTimeout).";
const besideHung = "The handler's thread was ended, as the hook of another request did not return.";
const endedWords =
  "The handler's thread ended while it had the request: an error outside any hook, or a full JavaScript heap; the server's log has the reason.";

/** Each piece in memory of just its size: a message carries the whole memory that a view stands in. */
function wireOf(request: HandlerRequest): WireRequest {
  const { body, contentType, accept, parts, headers, parameters, urlPath, explains, named } = request;
  const id = request.id === "" ? randomUUID() : request.id;
  const own = parts?.map((part) => ({ ...part, bytes: ownBytes(part.bytes) }));
  const span = beginSpan(headers["traceparent"]);
  const facts = { id, span, contentType, accept, headers, parameters, urlPath, explains, named };
  return { ...facts, body: ownBytes(body), parts: own };
}

/** A refusal of the handler's own, in the shape of the server's. */
function refusal(status: number, message: string): string {
  const type = status < 500 ? "BadRequestException" : "InternalServerException";
  return `${JSON.stringify({ code: status, type, message }, null, 2)}\n`;
}

const utf8 = new TextEncoder();

function headOf(
  status: FromHandler["status"],
  contentType: FromHandler["contentType"],
  headers: FromHandler["headers"],
): AnswerHead {
  return {
    ...(status === undefined ? {} : { status }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(headers === undefined ? {} : { headers }),
  };
}

function settle(reply: Reply, { body, input, status, contentType, headers, code, message = "" }: FromHandler): void {
  if (code !== undefined) reply.fail(code, message);
  else if (input !== undefined && reply instanceof InputReply) reply.input(input);
  else if (body === undefined) {
    const chosen = status !== undefined && status >= 400 && status <= 599 ? status : 500;
    reply.answer({ status: chosen, contentType: "application/json", body: refusal(chosen, message) });
  } else {
    reply.answer({ body, ...headOf(status, contentType, headers) });
  }
}
