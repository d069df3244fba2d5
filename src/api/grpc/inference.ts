/**
 * TorchServe's InferenceAPIsService (proto/inference.proto): Ping, Predictions, StreamPredictions, StreamPredictions2.
 * Thread: the gRPC thread.
 */

import { healthWords } from "../../models/health.js";
import type { ModelStats } from "../../inference/triton.js";
import type { Health, ModelEntry } from "../../models/models.js";
import type { RpcCall, RpcService } from "../../rpc.js";
import { failCall, statusMessage } from "./failure.js";
import type { HealthResponse, PredictionResponse, PredictionsRequest } from "./messages.js";
import { Predictor, type PredictorContext } from "./predict.js";
import { type Begin, OrderedStream } from "./stream.js";

export interface InferenceContext extends PredictorContext {
  readonly state: { readonly health: Health; readonly draining: boolean };
  /** The engine's figures. */
  readonly stats: () => readonly ModelStats[];
  /** Registered versions that are not being served. */
  readonly allUnready: () => readonly ModelEntry[];
}

export function inferenceService(context: InferenceContext, predictor = new Predictor(context)): RpcService {
  const predict =
    (inParts: boolean) =>
    (request: object, call: RpcCall): void =>
      predictOnce(predictor, request as PredictionsRequest, call, inParts);
  return {
    name: "org.pytorch.serve.grpc.inference.InferenceAPIsService",
    methods: {
      Ping: {
        takes: "one",
        answers: "one",
        start: (_, call) => {
          const { health, draining } = context.state;
          const answer: HealthResponse = {
            health: `${JSON.stringify({ status: healthWords(health, draining) }, null, 2)}\n`,
          };
          call.send(answer);
          call.end();
        },
      },
      Predictions: { takes: "one", answers: "one", start: predict(false) },
      StreamPredictions: { takes: "one", answers: "many", start: predict(true) },
      StreamPredictions2: {
        takes: "many",
        answers: "many",
        open: (call) => new OrderedStream(call, predictInTurn(predictor, call)),
      },
    },
  };
}

/** StreamPredictions2: an error is the answer of its request. */
function predictInTurn(predictor: Predictor, call: RpcCall): Begin<PredictionsRequest, PredictionResponse> {
  return (request, answered) => {
    const id = request.sequence_id === undefined ? {} : { sequence_id: request.sequence_id };
    return predictor.start(request, call, {
      answered: (_model, prediction) => answered({ prediction, ...id }),
      failed: (code, message) =>
        answered({ prediction: new Uint8Array(), ...id, status: statusMessage(code, message) }),
    });
  };
}

/** `inParts`: what a handler makes in parts is sent so, a message each. */
function predictOnce(predictor: Predictor, request: PredictionsRequest, call: RpcCall, inParts: boolean): void {
  const part = (model: string, prediction: Uint8Array): void => {
    const id = request.sequence_id === undefined ? {} : { sequence_id: request.sequence_id };
    call.send({ prediction, ...id }, [["x-sconce-model", model]]);
  };
  const running = predictor.start(request, call, {
    answered: (model, prediction) => {
      part(model, prediction);
      call.end();
    },
    failed: (code, message) => failCall(call, code, message),
    ...(inParts ? { parts: { part, ended: () => call.end() } } : {}),
  });
  call.gone = () => running?.cancel();
}
