/** What the package `sconce` exports: what handlers are made of, and the types that describe a server. */
export type { ServeConfig } from "./config/serve-config.js";
export type { ErrorCode, ErrorRow } from "./errors.js";
export { errorTable, ServerError } from "./errors.js";
export { Answer, defineHandler, HandlerError, tensor } from "./handlers/define.js";
export type {
  BatchHooks,
  Context,
  DTypeOf,
  HandlerDefinition,
  Log,
  Metrics,
  ModelFacts,
  ModelInput,
  OutputTensor,
  Request,
  RequestHooks,
  RequestPart,
  Span,
  Tensor,
  TensorData,
  TensorDType,
} from "./handlers/define.js";
export type { Health, ModelEntry, ModelState } from "./models/models.js";
export type { DType, HandlerSpec, ImageTransform, InputSpec, LoadReport, ModelSpec, Signature } from "./types.js";
