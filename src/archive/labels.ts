/** index_to_name.json, in the three forms that TorchServe reads. Pure. */
import { invalid } from "./failure.js";

/**
 * {"0": "cat"}, {"0": ["n02123045", "cat"]} (the last one counts) or {"object_type_names": ["cat", …]} → index → label.
 */
export function parseLabels(file: string, text: string): Readonly<Record<string, string>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw invalid(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw invalid(file, 'expected an object such as {"0": "cat", "1": "dog"}');
  }
  const names: unknown = (parsed as Record<string, unknown>)["object_type_names"];
  const pairs = Array.isArray(names)
    ? names.map((name: unknown, i) => [String(i), name] as const)
    : Object.entries(parsed);
  return Object.fromEntries(pairs.map(([index, value]) => [index, labelOf(file, index, value)]));
}

function labelOf(file: string, index: string, value: unknown): string {
  const label: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (typeof label === "string") return label;
  throw invalid(
    file,
    `the label of ${JSON.stringify(index)} must be text or a list that ends in text, got ${JSON.stringify(value)}`,
  );
}
