/**
 * Requests of a model with a handler in TypeScript or JavaScript go to the handler's thread; the answer is the handler's.
 * Of an explanation only the model's input is: the engine explains.
 */
import { ServerError } from "../../errors.js";
import type { HandlerSpec, ScriptSpec } from "../../types.js";
import type { Handler, ScriptDoor } from "../handler.js";

export function scriptHandler(
  spec: HandlerSpec,
  script: ScriptSpec,
  timeoutMs: number,
  door: ScriptDoor | undefined,
): Handler {
  const way = (): ScriptDoor => {
    if (door === undefined) throw new ServerError("internal", "This thread has no way to handlers in TypeScript.");
    return door;
  };
  return {
    name: spec.name,
    spec,
    wantsHeaders: true,
    anyAccept: true,
    serve: (request, reply) => way().serve(script, request, reply, timeoutMs),
    pre: async (request) => way().prepare(script, request, timeoutMs),
  };
}
