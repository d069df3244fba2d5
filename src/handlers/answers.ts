/** How the answers of several inputs stand in one response. Pure. */

/** Alone, as a list, or as {"predictions": […]}: as the inputs came. */
export type Form = "one" | "list" | "instances";

/** What moves the number of inputs that one request may have. */
export const instancesOption = "--max-instances or the model's sconce.maxInstances sets the limit";

/** The answers, JSON each, in the form that the inputs came in; `name` is what instances are answered under. */
export function together(answers: readonly string[], form: Form, name = "predictions"): string {
  if (form === "one") return answers[0] ?? "null";
  const list = `[\n${answers.join(",\n")}\n]`;
  return form === "list" ? list : `{\n"${name}": ${list}\n}`;
}
