/** Which number of the model's answer is explained: as the query says, or the body as TorchServe's clients send it. Pure. */

import { ServerError } from "../errors.js";
import type { HandlerRequest } from "../handlers/handler.js";
import type { ExplainSettings } from "../types.js";

type Target = ExplainSettings["target"];

/** Dimensions of a model's answer. */
const maxTarget = 16;
const field = "target";

/** "3", "3,10" or "predicted". Throws ServerError bad_request. */
export function readTarget(text: string): Target {
  if (text === "predicted") return "predicted";
  const indices = text.split(",");
  if (indices.length > maxTarget) throw wrong(text, `at most ${maxTarget} indices`);
  return indices.map((each) => {
    const index = each.trim();
    if (!/^[0-9]{1,9}$/.test(index)) throw wrong(index, "a whole number from 0 to 999999999");
    return Number(index);
  });
}

function wrong(text: string, expected: string): ServerError {
  return new ServerError("bad_request", `target must be ${expected}, got ${JSON.stringify(text.slice(0, 64))}.`);
}

/** The query's target wins; then a form's field `target`, then a JSON object's beside its `data`. */
export function withTarget(
  settings: ExplainSettings,
  { parameters, parts, body }: Pick<HandlerRequest, "parameters" | "parts" | "body">,
): ExplainSettings {
  if (parameters[field] !== undefined) return settings;
  const part = parts?.findLast(({ name }) => name === field);
  const text = part === undefined ? targetIn(body) : Buffer.from(part.bytes).toString();
  return text === undefined || text.trim() === "" ? settings : { ...settings, target: readTarget(text.trim()) };
}

const openBrace = 0x7b;

/** What is no JSON is the handler's affair. */
function targetIn(body: Uint8Array): string | undefined {
  if (body.find((byte) => byte > 0x20) !== openBrace) return undefined;
  let value: unknown;
  try {
    value = (JSON.parse(Buffer.from(body).toString()) as Readonly<Record<string, unknown>>)[field];
  } catch {
    return undefined;
  }
  if (value === undefined || value === null) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(",");
}
