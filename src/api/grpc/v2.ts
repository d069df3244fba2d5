/**
 * The Open Inference Protocol's GRPCInferenceService (proto/open_inference.proto), under its own name and the one that
 * TorchServe has it by. Tensors go to the model itself, past its handler, as in api/kserve_v2. Thread: the gRPC thread.
 */

import { type ErrorCode, ServerError } from "../../errors.js";
import { OutputFormat, standsAlone, v2Input } from "../../inference/call.js";
import { servedElsewhere } from "../../inference/refusals.js";
import type { ModelAbout } from "../../inference/pipeline.js";
import { repositoryIndex, statisticsOf, tritonConfig, tritonStatistics } from "../../inference/triton.js";
import { extensions, modelMetadata } from "../../inference/v2-words.js";
import { isServing } from "../../models/health.js";
import type { RpcCall, RpcMethod, RpcService } from "../../rpc.js";
import { failCall } from "./failure.js";
import type { InferenceContext } from "./inference.js";
import type { Outcome, Predictor, Running } from "./predict.js";
import { type Begin, OrderedStream } from "./stream.js";
import { bodyOf, responseOf } from "./v2-body.js";
import type { IndexRequest, InferRequest, ModelRequest, StreamInferResponse } from "./v2-messages.js";

const names = ["inference.GRPCInferenceService", "org.pytorch.serve.grpc.openinference.GRPCInferenceService"];

/** `version` is the server's. */
export function openInferenceServices(predictor: Predictor, context: InferenceContext, version: string): RpcService[] {
  const { pipeline, state } = context;
  const about = ({ name, version: wanted }: ModelRequest): ReturnType<typeof pipeline.about> => {
    if (name === "") throw new ServerError("bad_request", "Parameter name is required.");
    return pipeline.about(name, wanted);
  };
  const methods: Readonly<Record<string, RpcMethod>> = {
    ServerLive: telling(() => ({ live: true })),
    ServerReady: telling(() => ({ ready: isServing(state.health, state.draining) })),
    ServerMetadata: telling(() => ({ name: "sconce", version, extensions })),
    ModelReady: telling((request) => {
      const model = request as ModelRequest;
      if (about(model) !== undefined) return { ready: !state.draining };
      const refusal = predictor.missing(model.name, model.version);
      if (refusal.code === "not_ready") return { ready: false };
      throw new ServerError(refusal.code, refusal.message);
    }),
    ModelMetadata: telling((request) => {
      const model = request as ModelRequest;
      const known = about(model);
      if (known !== undefined) return modelMetadata(model.name, known);
      const { code, message } = predictor.missing(model.name, model.version);
      throw new ServerError(code, message);
    }),
    ModelInfer: {
      takes: "one",
      answers: "one",
      start: (request, call) => infer(predictor, request as InferRequest, call),
    },
  };
  const [own = "", torchserves = ""] = names;
  return [
    { name: own, methods: { ...methods, ...tritonMethods(predictor, context, about) } },
    { name: torchserves, methods },
  ];
}

type About = (request: ModelRequest) => ModelAbout | undefined;

/** Triton's extensions, which its clients and load generators ask for. */
function tritonMethods(
  predictor: Predictor,
  { pipeline, stats, allUnready }: InferenceContext,
  about: About,
): Readonly<Record<string, RpcMethod>> {
  const known = (model: ModelRequest): ModelAbout => {
    const found = about(model);
    if (found !== undefined) return found;
    const { code, message } = predictor.missing(model.name, model.version);
    throw new ServerError(code, message);
  };
  return {
    ModelConfig: telling((request) => {
      const model = request as ModelRequest;
      const found = known(model);
      const its = stats().find(({ name, version }) => name === model.name && version === found.version);
      return { config: tritonConfig(model.name, found, its?.instances ?? 0) };
    }),
    ModelStatistics: telling((request) => {
      const model = request as ModelRequest;
      if (model.name === "") return { model_stats: stats().map(tritonStatistics) };
      known(model);
      return { model_stats: [statisticsOf(stats(), model.name, model.version)] };
    }),
    RepositoryIndex: telling((request) => ({
      models: repositoryIndex(pipeline.routed(), allUnready(), (request as IndexRequest).ready),
    })),
    ModelStreamInfer: {
      takes: "many",
      answers: "many",
      open: (call) => new OrderedStream(call, inferInTurn(predictor, call)),
    },
  };
}

/** An error is the answer of its request, which it names. */
function inferInTurn(predictor: Predictor, call: RpcCall): Begin<InferRequest, StreamInferResponse> {
  return (request, answered) => {
    const { model_name, model_version, id } = request;
    const failed = (_code: ErrorCode, message: string): void =>
      answered({ error_message: message, infer_response: { model_name, model_version, id } });
    return launch(predictor, request, call, {
      answered: (_model, answer) => answered({ error_message: "", infer_response: responseOf(answer) }),
      failed,
    });
  };
}

/** A method whose answer is known at once. */
function telling(answer: (request: object) => object): RpcMethod {
  const start = (request: object, call: RpcCall): void =>
    refusing(call, () => {
      call.send(answer(request));
      call.end();
    });
  return { takes: "one", answers: "one", start };
}

function refusing(call: RpcCall, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    failCall(call, error.code, error.message);
  }
}

function infer(predictor: Predictor, request: InferRequest, call: RpcCall): void {
  const running = launch(predictor, request, call, {
    answered: (model, answer) => {
      call.send(responseOf(answer), [["x-sconce-model", model]]);
      call.end();
    },
    failed: (code, message) => failCall(call, code, message),
  });
  call.gone = () => running?.cancel();
}

function launch(predictor: Predictor, request: InferRequest, call: RpcCall, outcome: Outcome): Running | undefined {
  const refused = ({ code, message }: ServerError): void => outcome.failed(code, message);
  return predictor.whenLoaded(request, { ...outcome, refused }, () => begin(predictor, request, call, outcome));
}

function begin(predictor: Predictor, request: InferRequest, call: RpcCall, outcome: Outcome): Running {
  const { model_name: name, model_version: version } = request;
  const known = predictor.route(name, version);
  const { handler } = known;
  if (standsAlone(handler)) throw new ServerError("bad_request", servedElsewhere(name));
  const route = { ...known, handler: { ...handler, pre: undefined, post: undefined, serve: undefined } };
  const { jsonBytes, bytes } = bodyOf(request);
  return predictor.launch({
    route,
    rpc: call,
    input: v2Input(jsonBytes),
    output: OutputFormat.v2,
    body: bytes,
    request: { model_name: name, model_version: version, input: {} },
    outcome: {
      answered: (model, answer) => outcome.answered(model, answer),
      failed: (code, message) => outcome.failed(code, inRpcWords(message)),
    },
  });
}

/** The engine's words for a body that bodyOf wrote: its JSON and its sizes are none of the client's. */
function inRpcWords(message: string): string {
  return message
    .replace(/^malformed JSON: (.*) at byte \d+$/s, "$1")
    .replace("binary_data_size says", "its contents have");
}
