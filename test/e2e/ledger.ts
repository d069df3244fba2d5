/**
 * The ledger model (models/export.py) in TypeScript: 16 → 64 → 64 → 4 with ReLU. Every weight and input is a small
 * multiple of a power of two, so all sums are exact in float32 and the answer is known to the last bit.
 */

function grid(rows: number, columns: number, a: number, b: number, of: (value: number) => number): Float64Array[] {
  return Array.from({ length: rows }, (_, i) =>
    Float64Array.from({ length: columns }, (_, j) => of(((i * a + j * b + i * j) % 17) - 8)),
  );
}

const layers = [grid(16, 64, 7, 13, (v) => v / 8), grid(64, 64, 5, 11, Math.sign), grid(64, 4, 3, 7, Math.sign)];

function times(x: Float64Array, weights: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(weights[0]?.length ?? 0);
  for (const [i, row] of weights.entries()) {
    const factor = x[i] ?? 0;
    if (factor === 0) continue;
    for (let j = 0; j < result.length; j++) result[j] = (result[j] ?? 0) + factor * (row[j] ?? 0);
  }
  return result;
}

/** The sample of request `index`: sixteen multiples of 1/4 in [-8, 8); distinct for 16^10 indices. */
export function ledgerInput(index: number): number[] {
  return Array.from({ length: 16 }, (_, k) => {
    const digit = Math.floor(index / 16 ** (k % 8)) % 16;
    return ((digit * (k + 3) + k * 5 + (k < 8 ? digit : 0)) % 64) / 4 - 8;
  });
}

export function ledgerAnswer(input: readonly number[]): number[] {
  let x: Float64Array = Float64Array.from(input);
  for (const [depth, weights] of layers.entries()) {
    x = times(x, weights);
    if (depth < layers.length - 1) x = x.map((value) => Math.max(0, value));
  }
  return [...x];
}

/** A JSON answer's numbers as the float32 values they stand for (its text is the shortest that reads back). */
export function float32Of(value: unknown): unknown {
  return Array.isArray(value) ? value.map((each) => (typeof each === "number" ? Math.fround(each) : each)) : value;
}

/** What is wrong with the JSON answer to request `index`, or nothing. */
export function ledgerFault(index: number, body: Buffer): string | undefined {
  const got = float32Of(JSON.parse(body.toString("utf8")));
  const want = ledgerAnswer(ledgerInput(index));
  const same = Array.isArray(got) && got.length === want.length && want.every((value, i) => value === got[i]);
  return same ? undefined : `expected ${JSON.stringify(want)}, got ${body.toString("utf8").slice(0, 200)}`;
}
