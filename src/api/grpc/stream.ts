/**
 * Many requests and their answers over one stream. Answers come in the order of their requests, also where models take
 * differently long; an error is the answer of its request and leaves the stream open; the end comes when the client has
 * ended and everything it asked was answered.
 */

import type { RpcCall, RpcReader } from "../../rpc.js";
import { failCall } from "./failure.js";
import type { Running } from "./predict.js";

/** Requests of one stream that are under way; beyond it the stream is read no further. */
export const maxUnderWay = 64;

interface Slot<Answer> {
  running: Running | undefined;
  answer: Answer | undefined;
}

/** Begins what one message asks for; `answered` is called once, at once or later. Undefined: there is nothing to cancel. */
export type Begin<Request, Answer> = (request: Request, answered: (answer: Answer) => void) => Running | undefined;

export class OrderedStream<Request extends object, Answer extends object> implements RpcReader<Request> {
  private readonly begin: Begin<Request, Answer>;
  private readonly call: RpcCall<Answer>;
  /** Oldest first. */
  private readonly slots: Slot<Answer>[] = [];
  private ended: "no" | "client" | "server" = "no";
  private paused = false;

  constructor(call: RpcCall<Answer>, begin: Begin<Request, Answer>) {
    this.begin = begin;
    this.call = call;
    call.gone = () => {
      for (const slot of this.slots) slot.running?.cancel();
      this.slots.length = 0;
    };
  }

  message(request: Request): void {
    if (this.ended !== "no") return;
    const slot: Slot<Answer> = { running: undefined, answer: undefined };
    this.slots.push(slot);
    const running = this.begin(request, (answer) => this.answered(slot, answer));
    if (slot.answer === undefined) slot.running = running;
    if (this.slots.length >= maxUnderWay) {
      this.paused = true;
      this.call.pause();
    }
  }

  halfClosed(): void {
    if (this.ended === "no") this.ended = "client";
    this.flush();
  }

  drain(): void {
    if (this.ended === "no") this.ended = "server";
    this.flush();
  }

  private answered(slot: Slot<Answer>, answer: Answer): void {
    slot.answer = answer;
    slot.running = undefined;
    this.flush();
  }

  private flush(): void {
    let next = this.slots[0]?.answer;
    while (next !== undefined) {
      this.slots.shift();
      this.call.send(next);
      next = this.slots[0]?.answer;
    }
    if (this.slots.length === 0 && this.ended === "client") this.call.end();
    else if (this.slots.length === 0 && this.ended === "server")
      failCall(this.call, "draining", "The server is shutting down.");
    else if (this.paused && this.slots.length < maxUnderWay) {
      this.paused = false;
      this.call.resume();
    }
  }
}
