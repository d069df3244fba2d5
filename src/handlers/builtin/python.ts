/** Requests of a model that Python workers run go there as they are; the answer is the worker's. */
import { ServerError } from "../../errors.js";
import type { HandlerSpec } from "../../types.js";
import type { Handler, WorkerDoor } from "../handler.js";

/** `model`: "name/version". */
export function pythonHandler(
  spec: HandlerSpec,
  model: string,
  timeoutMs: number,
  door: WorkerDoor | undefined,
): Handler {
  return {
    name: spec.name,
    spec,
    wantsHeaders: true,
    anyAccept: true,
    serve: (request, reply) => {
      if (door === undefined) throw new ServerError("internal", "This thread has no way to Python workers.");
      door.serve(model, request, reply, timeoutMs);
    },
  };
}
