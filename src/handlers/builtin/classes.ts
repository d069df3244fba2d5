/** Scores → probabilities → JSON with labels. Pure. */

type Labels = Readonly<Record<string, string>> | undefined;

/** Shifted by the maximum, so that large scores do not overflow. */
export function softmax(scores: Float64Array): Float64Array {
  let max = -Infinity;
  for (const score of scores) if (score > max) max = score;
  const powers = scores.map((score) => Math.exp(score - max));
  let sum = 0;
  for (const power of powers) sum += power;
  return powers.map((power) => power / sum);
}

/** The most probable first. */
export function topClasses(probabilities: Float64Array, topK: number, labels: Labels): string {
  // Sorting all of a thousand classes by a comparison costs as much as everything else here.
  const least = probabilities.toSorted().at(-topK) ?? -Infinity;
  const order = Array.from(probabilities.keys()).filter((index) => !((probabilities[index] ?? 0) < least));
  order.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b);
  return classesText(order.slice(0, topK), probabilities, labels);
}

/** In the order of the model's output. */
export function allClasses(probabilities: Float64Array, labels: Labels): string {
  return classesText(Array.from(probabilities.keys()), probabilities, labels);
}

/** Written by hand because a JavaScript object would put labels that are numbers in numeric order. */
function classesText(order: readonly number[], probabilities: Float64Array, labels: Labels): string {
  const lines = order.map((index) => {
    const label = labels?.[String(index)] ?? String(index);
    return `  ${JSON.stringify(label)}: ${number(probabilities[index] ?? 0)}`;
  });
  return `{\n${lines.join(",\n")}\n}`;
}

function number(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${String(value)}"`;
}
