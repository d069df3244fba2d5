/** Tensors in, tensors out: the engine does all of it. */

import type { HandlerSpec } from "../../types.js";
import type { Handler } from "../handler.js";

export function baseHandler(spec: HandlerSpec): Handler {
  return { name: "base_handler", spec, pre: undefined, post: undefined, serve: undefined };
}
