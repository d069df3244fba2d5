/** The query of `/explanations/{model}` → what is to be explained, and how. Pure. docs/explanations.md has the table. */

import { ServerError } from "../../errors.js";
import { readTarget } from "../../inference/explain-target.js";
import { explainMethods, type ExplainSettings, type HandlerSpec, integralRules } from "../../types.js";

/** As in native/core/explain.h. */
export const maxSteps = 1000;
export const maxBatch = 64;
const defaultBatch = 8;
const maxSide = 65_536;

/** Captum's default, and what TorchServe's handlers of pictures take. */
const defaultSteps = 50;
const pictureSteps = 15;

const readers = {
  method: (text: string) => ({ method: oneOf("method", text, explainMethods) }),
  rule: (text: string) => ({ rule: oneOf("rule", text, integralRules) }),
  steps: (text: string) => ({ steps: whole("steps", text, 1, maxSteps) }),
  target: (text: string) => ({ target: readTarget(text) }),
  baseline: (text: string) => ({ baseline: finite("baseline", text) }),
  batch: (text: string) => ({ batch: whole("batch", text, 1, maxBatch) }),
  window: (text: string) => ({ window: sides("window", text) }),
  stride: (text: string) => ({ stride: sides("stride", text) }),
  detail: (text: string) => ({ detail: oneOf("detail", text.toLowerCase(), ["true", "false"] as const) === "true" }),
} as const satisfies { readonly [Name in keyof ExplainSettings]: (text: string) => Partial<ExplainSettings> };

/** Parameters that only some methods look at. */
const lookedAtBy: Partial<Record<keyof ExplainSettings, readonly ExplainSettings["method"][]>> = {
  rule: ["integrated_gradients"],
  steps: ["integrated_gradients"],
  baseline: ["integrated_gradients", "occlusion"],
  window: ["occlusion"],
  stride: ["occlusion"],
};

/** Throws ServerError bad_request naming the parameter and what it takes. Of a parameter given twice the last counts. */
export function readExplainSettings(query: string, handler: HandlerSpec): ExplainSettings {
  let settings: ExplainSettings = {
    method: "integrated_gradients",
    rule: "gausslegendre",
    steps: handler.image === undefined ? defaultSteps : pictureSteps,
    target: [],
    baseline: 0,
    batch: defaultBatch,
    window: [0, 0],
    stride: [0, 0],
    detail: false,
  };
  const given = new URLSearchParams(query);
  for (const [name, text] of given) {
    if (!Object.hasOwn(readers, name)) {
      const known = Object.keys(readers).join(", ");
      throw bad(`An explanation has no parameter ${JSON.stringify(name.slice(0, 64))}. It takes: ${known}.`);
    }
    settings = { ...settings, ...readers[name as keyof typeof readers](text.trim()) };
  }
  for (const name of given.keys()) refuseIdle(name as keyof ExplainSettings, settings.method);
  return settings;
}

/** A parameter without effect is a mistake about the method. */
function refuseIdle(name: keyof ExplainSettings, method: ExplainSettings["method"]): void {
  const methods = lookedAtBy[name];
  if (methods === undefined || methods.includes(method)) return;
  throw bad(`${name} is for method=${methods.join(" or ")}; the method here is ${method}.`);
}

function bad(message: string): ServerError {
  return new ServerError("bad_request", message);
}

function wrong(name: string, text: string, expected: string): ServerError {
  return bad(`${name} must be ${expected}, got ${JSON.stringify(text.slice(0, 64))}.`);
}

function oneOf<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const found = words.find((each) => each === text);
  if (found === undefined) throw wrong(name, text, `one of ${words.join(", ")}`);
  return found;
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (value < min || value > max) throw wrong(name, text, `a whole number from ${min} to ${max}`);
  return value;
}

function finite(name: string, text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw wrong(name, text, "a finite number");
  return value;
}

/** "5" or "5x7": height and width. */
function sides(name: string, text: string): readonly [number, number] {
  const [height = "", width = height, ...more] = text.split("x");
  if (more.length > 0) throw wrong(name, text, "one size, or height and width as in 5x7");
  return [whole(name, height, 1, maxSide), whole(name, width, 1, maxSide)];
}
