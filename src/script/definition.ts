/** Whether a handler's default export is one. Pure. */
import type { HandlerDefinition } from "../handlers/define.js";

const hooks = ["initialize", "preprocess", "inference", "postprocess"] as const;
const known: readonly string[] = [...hooks, "batch"];

/** Throws Error with what is wrong. */
export function checkDefinition(exported: unknown, file: string): HandlerDefinition {
  const wrong = (what: string): Error => new Error(`${file} ${what}`);
  if (typeof exported !== "object" || exported === null) {
    throw wrong("has no default export that is a handler: export default defineHandler({ preprocess, postprocess })");
  }
  const given = exported as Readonly<Record<string, unknown>>;
  const strange = Object.keys(given).find((key) => !known.includes(key));
  if (strange !== undefined) throw wrong(`has ${JSON.stringify(strange)}, which is none of ${known.join(", ")}`);
  for (const hook of hooks) {
    if (given[hook] !== undefined && typeof given[hook] !== "function")
      throw wrong(`has a ${hook} that is no function`);
  }
  if (hooks.every((hook) => hook === "initialize" || given[hook] === undefined)) {
    throw wrong("has neither preprocess nor inference nor postprocess, so it does nothing");
  }
  if (given["batch"] === true && given["inference"] !== undefined) {
    throw wrong("has batch: true and inference, which is for one request at a time");
  }
  if (given["batch"] !== undefined && typeof given["batch"] !== "boolean") {
    throw wrong("has a batch that is neither true nor false");
  }
  return exported;
}
