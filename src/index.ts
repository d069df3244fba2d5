/** What the package `sconce` exports: the types that describe a server, for programs that start or read one. */
export type { ServeConfig } from "./config/serve-config.js";
export type { ErrorCode, ErrorRow } from "./errors.js";
export { errorTable, ServerError } from "./errors.js";
export type { Health, ModelEntry, ModelState } from "./models/models.js";
export type { DType, HandlerSpec, ImageTransform, InputSpec, LoadReport, ModelSpec, Signature } from "./types.js";
