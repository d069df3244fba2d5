/**
 * The OpenAPI documents of the three ports (`OPTIONS /`, `/api-description`) and of one model (`OPTIONS` on its path).
 * Operation ids and parameter names are TorchServe's.
 */

import { pngType, readableTypes, writableTypes } from "../../inference/negotiate.js";
import { logLevels } from "../../telemetry/log.js";
import { explainMethods, integralRules } from "../../types.js";
import { maxBatch, maxSteps } from "./explanations.js";

type Json = Readonly<Record<string, unknown>>;

const text = { type: "string" };
const whole = { type: "integer" };
const upTo = (maximum: number): Json => ({ type: "integer", minimum: 1, maximum });
const truth = { type: "boolean" };

/** `base`: what stands before every path; "": nothing. */
function document(title: string, version: string, base: string, paths: Json): unknown {
  return { openapi: "3.0.1", info: { title, version }, ...(base === "" ? {} : { servers: [{ url: base }] }), paths };
}

const jsonContent = { "application/json": { schema: { type: "object" } } };
const ok = (description: string, content: Json = jsonContent): Json => ({ description, content });
const listed = {
  "200": ok("One entry for each version.", {
    "application/json": { schema: { type: "array", items: { type: "object" } } },
  }),
};
const failure = {
  description: "An error: code, type and message.",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["code", "type", "message"],
        properties: { code: whole, type: text, message: text },
      },
    },
  },
};

function operation(
  operationId: string,
  description: string,
  more: Json,
  responses: Json = { "200": ok("Done.") },
): Json {
  return { operationId, description, ...more, responses: { ...responses, default: failure } };
}

const inPath = (name: string): Json => ({ in: "path", name, required: true, schema: text });
const inQuery = (name: string, schema: Json, description: string, required = false): Json => ({
  in: "query",
  name,
  required,
  schema,
  description,
});
const model = inPath("model_name");
const version = inPath("model_version");

function types(list: string): Json {
  return Object.fromEntries(list.split(", ").map((type) => [type, {}]));
}

const prediction = {
  requestBody: { required: true, content: types(readableTypes) },
};
const predicted = { "200": ok("The model's outputs.", types(writableTypes)) };

const explaining = [
  inQuery("method", { type: "string", enum: explainMethods }, "Default integrated_gradients."),
  inQuery("rule", { type: "string", enum: integralRules }, "Of integrated gradients; default gausslegendre."),
  inQuery("steps", upTo(maxSteps), "Of integrated gradients; default 50, for pictures 15."),
  inQuery("target", text, "The explained number's place in the answer, or predicted; default 0."),
  inQuery("baseline", { type: "number" }, "Every element of the input that means nothing; default 0."),
  inQuery("batch", upTo(maxBatch), "Samples in one run of the model; default 8."),
  inQuery("window", text, "Of occlusion: 5, or height and width as in 5x7."),
  inQuery("stride", text, "Of occlusion, as window."),
  inQuery("detail", truth, "With target, score and convergence delta; default false."),
];
const explained = { "200": ok("Attributions, shaped like the inputs.", types(`${writableTypes}, ${pngType}`)) };

const described = { get: operation("apiDescription", "This document.", {}) };
const options = { options: operation("apiDescriptionByOptions", "This document.", {}) };

/** `version` is the server's. */
export function inferenceApi(serverVersion: string, base: string): unknown {
  const predict = (id: string, parameters: readonly Json[]): Json => posted(id, "A prediction.", parameters, predicted);
  const explain = (id: string, parameters: readonly Json[]): Json =>
    posted(id, "Why an answer is what it is.", [...parameters, ...explaining], explained);
  return document("TorchServe APIs", serverVersion, base, {
    "/": options,
    "/api-description": described,
    "/ping": { get: operation("ping", "Whether the models answer.", {}) },
    "/predictions/{model_name}": predict("predictions", [model]),
    "/predictions/{model_name}/{model_version}": predict("version_predictions", [model, version]),
    "/explanations/{model_name}": explain("explanations", [model]),
    "/explanations/{model_name}/{model_version}": explain("version_explanations", [model, version]),
    "/v2/health/live": { get: operation("live", "The process answers.", {}) },
    "/v2/health/ready": { get: operation("ready", "The models answer.", {}) },
  });
}

/** PUT does what POST does. */
function posted(id: string, description: string, parameters: readonly Json[], answers: Json): Json {
  const under = (name: string): Json => operation(name, description, { parameters, ...prediction }, answers);
  return { post: under(id), put: under(`${id}_by_put`) };
}

const registration = [
  inQuery("url", text, "A file of the model store, or a URL it takes.", true),
  inQuery("model_name", text, "Instead of the archive's."),
  inQuery("handler", text, "Instead of the archive's."),
  inQuery("runtime", text, "python, python3 or LSP."),
  inQuery("batch_size", whole, "Requests that run together."),
  inQuery("max_batch_delay", whole, "Milliseconds to wait for a full batch."),
  inQuery("response_timeout", whole, "Seconds."),
  inQuery("initial_workers", whole, "Instances to begin with."),
  inQuery("max_worker", whole, "What they may grow to under load."),
  inQuery("synchronous", truth, "Answer once it serves; default true."),
];
const scaling = [
  inQuery("min_worker", whole, "At least so many instances; default 1."),
  inQuery("max_worker", whole, "At most so many; default min_worker."),
  inQuery("synchronous", truth, "Answer once instances that are too many have ended; default false."),
];
const accepted = { "200": ok("Done."), "202": ok("Under way.") };

export function managementApi(serverVersion: string, base: string): unknown {
  const pages = [inQuery("limit", whole, "At most 100."), inQuery("next_page_token", whole, "Of the page before.")];
  const customized = inQuery("customized", truth, "With what the handler says of itself.");
  return document("TorchServe APIs", serverVersion, base, {
    "/": options,
    "/api-description": described,
    "/models": {
      get: operation("listModels", "The models by name, in pages.", { parameters: pages }),
      post: operation("registerModel", "Loads a model.", { parameters: registration }, accepted),
    },
    "/models/{model_name}": {
      get: operation("describeModel", "The default version.", { parameters: [model, customized] }, listed),
      put: operation("setAutoScale", "The number of instances.", { parameters: [model, ...scaling] }, accepted),
      delete: operation("unregisterModel", "Takes the default version away.", { parameters: [model] }),
      options: operation("modelApiDescription", "What can be asked of a model.", { parameters: [model] }),
    },
    "/models/{model_name}/{model_version}": {
      get: operation(
        "version_describeModel",
        "One version, or `all`.",
        { parameters: [model, version, customized] },
        listed,
      ),
      put: operation(
        "version_setAutoScale",
        "The number of instances.",
        { parameters: [model, version, ...scaling] },
        accepted,
      ),
      delete: operation("version_unregisterModel", "Takes a version away.", { parameters: [model, version] }),
    },
    "/models/{model_name}/{model_version}/set-default": {
      put: operation("setDefault", "Requests without a version go there.", { parameters: [model, version] }),
    },
    "/models/{model_name}/log-level": {
      post: operation("setLogLevel", "What is logged of the model from now on.", {
        parameters: [
          model,
          inQuery("level", { type: "string", enum: [...logLevels, "default"] }, "default: --log-level again.", true),
        ],
      }),
    },
    "/models/{model_name}/{model_version}/schema": {
      get: operation("schema", "What the version takes and gives.", { parameters: [model, version] }),
    },
    "/models/{model_name}/rollback": {
      post: operation("rollback", "The default becomes the one before.", { parameters: [model] }),
    },
    "/v1/models/{model_name}": { get: operation("modelReady", "Whether it can answer.", { parameters: [model] }) },
  });
}

export function metricsApi(serverVersion: string): unknown {
  const names = inQuery("name[]", { type: "array", items: text }, "Only these families.");
  const exposition = { "200": ok("Prometheus' text format.", { "text/plain": {} }) };
  return document("TorchServe APIs", serverVersion, "", {
    "/": options,
    "/api-description": described,
    "/metrics": { get: operation("metrics", "The server's figures.", { parameters: [names] }, exposition) },
  });
}

/** `name` is a checked model name. */
export function predictionApi(name: string, base: string): unknown {
  const once = (id: string): Json => operation(id, `A prediction of the model ${name}.`, prediction, predicted);
  return document(`RESTful API for: ${name}`, "1.0.0", base, {
    [`/predictions/${name}`]: { post: once("predict"), put: once("predictByPut") },
  });
}

/** `name` is a checked model name. */
export function modelApi(name: string, base: string): unknown {
  return document(`RESTful Management API for: ${name}`, "1.0.0", base, {
    [`/models/${name}`]: {
      get: operation("describeModel", "The default version.", {}, listed),
      put: operation("setAutoScale", "The number of instances.", { parameters: scaling }, accepted),
      delete: operation("unregisterModel", "Takes the default version away.", {}),
    },
  });
}
