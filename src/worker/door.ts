/**
 * A thread's way to Python workers, which are main's: requests go there, answers come back. Each HTTP thread and the gRPC
 * thread has one.
 */
import { randomUUID } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import type { HandlerRequest, Reply, WorkerDoor } from "../handlers/handler.js";
import { type FromDesk, ownBytes, type ToDesk } from "./ask.js";
import type { WorkerRequest } from "./frames.js";
import { errorBody, headOf, toWorker } from "./translate.js";

/** Bytes of a streamed answer that its client has not taken; a handler that is that far ahead is given up. */
export const maxUntakenBytes = 64 * 1024 * 1024;

export class Door implements WorkerDoor {
  private readonly port: MessagePort;
  private readonly asked = new Map<number, Asked>();
  private next = 1;

  constructor(port: MessagePort) {
    this.port = port;
    port.on("message", (message: FromDesk) => this.heard(message));
    // The thread lives by its listeners, not by this.
    port.unref();
  }

  serve(model: string, request: HandlerRequest, reply: Reply, timeoutMs: number): void {
    const id = this.next++;
    const asked = new Asked(reply, () => this.give(id));
    this.asked.set(id, asked);
    request.onAbort(() => this.give(id));
    const wire = owned(toWorker(request, request.id === "" ? randomUUID() : request.id));
    const given = new Set(wire.parameters.map(({ value }) => value.buffer as ArrayBuffer));
    this.say({ type: "ask", id, model, request: wire, timeoutMs, named: request.named }, [...given]);
  }

  /** Nobody waits any more. */
  private give(id: number): void {
    if (this.asked.delete(id)) this.say({ type: "cancel", id });
  }

  private heard(message: FromDesk): void {
    const asked = this.asked.get(message.id);
    if (asked === undefined) return;
    if (message.type === "fail") {
      this.asked.delete(message.id);
      asked.fail(message);
      return;
    }
    if (!message.more) this.asked.delete(message.id);
    asked.answer(message);
  }

  private say(message: ToDesk, given: readonly ArrayBuffer[] = []): void {
    this.port.postMessage(message, given);
  }
}

function owned(request: WorkerRequest): WorkerRequest {
  const parameters = request.parameters.map((each) => ({ ...each, value: ownBytes(each.value) }));
  return { ...request, parameters };
}

/** One request and what has come back of it. */
class Asked {
  private readonly reply: Reply;
  private readonly giveUp: () => void;
  private streams = false;
  /** Not taken by the client yet; a part undefined is the end. */
  private readonly queue: (Uint8Array | undefined)[] = [];
  private untaken = 0;
  private pumping = false;

  constructor(reply: Reply, giveUp: () => void) {
    this.reply = reply;
    this.giveUp = giveUp;
  }

  answer({ answer, more }: Extract<FromDesk, { type: "answer" }>): void {
    if (!more && !this.streams) {
      this.reply.answer({ ...headOf(answer), body: answer.body });
      return;
    }
    if (!this.streams) this.reply.open(headOf(answer));
    this.streams = true;
    this.queue.push(answer.body, ...(more ? [] : [undefined]));
    this.untaken += answer.body.byteLength;
    if (this.untaken > maxUntakenBytes) {
      this.reply.fail("bad_output", `The client is more than ${maxUntakenBytes} bytes behind the model's answer.`);
      this.giveUp();
    } else if (!this.pumping) void this.pump();
  }

  fail({ code, message, status }: Extract<FromDesk, { type: "fail" }>): void {
    const says = status !== undefined && status >= 200 && status <= 599 && !this.streams;
    if (!says) this.reply.fail(code, message);
    else this.reply.answer({ status, contentType: "application/json", body: errorBody(status, message) });
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    while (this.queue.length > 0) {
      const part = this.queue.shift();
      if (part === undefined) this.reply.end();
      else {
        this.untaken -= part.byteLength;
        if (!this.reply.part(part)) await this.reply.ready();
      }
    }
    this.pumping = false;
  }
}
