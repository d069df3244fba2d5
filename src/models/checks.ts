/** What is known of a version once it is loaded and would only show with some request. Pure. */
import type { LoadReport, ModelSpec, TextSpec } from "../types.js";

/** Handlers whose answer has a label for each class, the last dimension of an output. */
const classHandlers = ["image_classifier", "text_classifier", "token_classifier"];

/** One line each, for the log and describe. */
export function loadWarnings(
  { handler, source }: Pick<ModelSpec, "handler" | "source">,
  { outputs }: Pick<LoadReport, "outputs">,
): readonly string[] {
  return [...paddingWarnings(source, handler.text), ...labelWarnings({ handler, source }, outputs)];
}

/** A model that is not told where a text ends may answer by how long it is with its padding. */
function paddingWarnings(source: string, text: TextSpec | undefined): readonly string[] {
  if (text?.padsTo === undefined || text.inputs.some(({ role }) => role === "mask")) return [];
  return [
    `${source}: the tokenizer's padding (to ${text.padsTo}) is not followed: texts are padded to ${list(text.buckets)} tokens, and the model has no mask to tell padding by; sconce.text.buckets sets other lengths`,
  ];
}

function labelWarnings(
  { handler, source }: Pick<ModelSpec, "handler" | "source">,
  outputs: LoadReport["outputs"],
): readonly string[] {
  const { labels } = handler;
  const classes = outputs[handler.text?.output ?? 0]?.shape.at(-1);
  if (labels === undefined || classes === undefined || !classHandlers.includes(handler.name)) return [];
  const missing = Array.from({ length: classes }, (_, index) => index).filter((index) => labels[index] === undefined);
  const beyond = Object.keys(labels).filter((index) => Number(index) >= classes);
  const about = `${source}: index_to_name.json has ${Object.keys(labels).length} labels, and the model gives ${classes} classes`;
  return [
    ...(missing.length === 0
      ? []
      : [`${about}; ${missing.length} have none and are answered by their number: ${list(missing)}`]),
    ...(beyond.length === 0 ? [] : [`${about}; those of ${list(beyond)} are never used`]),
  ];
}

const maxListed = 5;
function list(all: readonly (string | number)[]): string {
  return `${all.slice(0, maxListed).join(", ")}${all.length > maxListed ? ", …" : ""}`;
}
