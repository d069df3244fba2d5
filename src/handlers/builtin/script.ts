/** Requests of a model with a handler in TypeScript or JavaScript go to the handler's thread; the answer is the handler's. */
import { ServerError } from "../../errors.js";
import type { HandlerSpec, ScriptSpec } from "../../types.js";
import type { Handler, ScriptDoor } from "../handler.js";

export function scriptHandler(
  spec: HandlerSpec,
  script: ScriptSpec,
  timeoutMs: number,
  door: ScriptDoor | undefined,
): Handler {
  return {
    name: spec.name,
    spec,
    wantsHeaders: true,
    anyAccept: true,
    serve: (request, reply) => {
      if (request.explains) {
        throw new ServerError("not_implemented", "A handler in TypeScript answers predictions, not explanations.");
      }
      if (door === undefined) throw new ServerError("internal", "This thread has no way to handlers in TypeScript.");
      door.serve(script, request, reply, timeoutMs);
    },
  };
}
