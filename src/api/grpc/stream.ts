/**
 * StreamPredictions2: many requests and their answers over one stream. Answers come in the order of their requests, also
 * where models take differently long; an error is the answer of its request and leaves the stream open; the end comes
 * when the client has ended and everything it asked was answered.
 */

import type { ErrorCode } from "../../errors.js";
import type { RpcCall, RpcReader } from "../../rpc.js";
import { failCall, statusMessage } from "./failure.js";
import type { PredictionResponse, PredictionsRequest } from "./messages.js";
import type { Predictor, Running } from "./predict.js";

/** Requests of one stream that are under way; beyond it the stream is read no further. */
export const maxUnderWay = 64;

interface Slot {
  running: Running | undefined;
  answer: PredictionResponse | undefined;
}

export class PredictionStream implements RpcReader<PredictionsRequest> {
  private readonly predictor: Predictor;
  private readonly call: RpcCall<PredictionResponse>;
  /** Oldest first. */
  private readonly slots: Slot[] = [];
  private ended: "no" | "client" | "server" = "no";
  private paused = false;

  constructor(predictor: Predictor, call: RpcCall<PredictionResponse>) {
    this.predictor = predictor;
    this.call = call;
    call.gone = () => {
      for (const slot of this.slots) slot.running?.cancel();
      this.slots.length = 0;
    };
  }

  message(request: PredictionsRequest): void {
    if (this.ended !== "no") return;
    const slot: Slot = { running: undefined, answer: undefined };
    this.slots.push(slot);
    const id = request.sequence_id === undefined ? {} : { sequence_id: request.sequence_id };
    const running = this.predictor.start(request, this.call, {
      answered: (_model, prediction) => this.answered(slot, { prediction, ...id }),
      failed: (code: ErrorCode, message) =>
        this.answered(slot, { prediction: new Uint8Array(), ...id, status: statusMessage(code, message) }),
    });
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

  private answered(slot: Slot, answer: PredictionResponse): void {
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
