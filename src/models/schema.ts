/**
 * What a version takes and gives, and whether a client of one version can go on with another. Pure.
 * Only what is declared, or was seen in the warm-up, counts: what is not known is not called a difference.
 */
import type { InputSpec, LoadReport, ModelSpec, OutputSpec } from "../types.js";

export interface ModelSchema {
  /** A built-in one; undefined: code of the model's own, whose file's name says nothing. */
  readonly handler: string | undefined;
  /** Undefined: the model declares none. */
  readonly inputs: readonly InputSpec[] | undefined;
  /** Undefined: no warm-up has shown them. */
  readonly outputs: readonly OutputSpec[] | undefined;
}

interface Known {
  readonly spec?: ModelSpec | undefined;
  readonly report?: LoadReport | undefined;
}

/** Undefined while the version's archive has not been read. */
export function schemaOf({ spec, report }: Known): ModelSchema | undefined {
  if (spec === undefined) return undefined;
  const { declared, inputs } = spec.signature;
  const outputs = report?.outputs ?? [];
  const { name, python, script } = spec.handler;
  return {
    handler: python === true || script !== undefined ? undefined : name,
    inputs: declared ? inputs : undefined,
    outputs: outputs.length === 0 ? undefined : outputs,
  };
}

/** One line per difference that a client of `before` would meet; empty: it meets none, or nothing is known of one of them. */
export function breakingChanges(before: ModelSchema | undefined, after: ModelSchema | undefined): readonly string[] {
  if (before === undefined || after === undefined) return [];
  const [old, next] = [before.handler, after.handler];
  if (old !== undefined && next !== undefined && old !== next) return [`handler: ${old} → ${next}`];
  return [...inputChanges(before.inputs, after.inputs), ...outputChanges(before, after)];
}

function inputChanges(before: ModelSchema["inputs"], after: ModelSchema["inputs"]): readonly string[] {
  if (before === undefined || after === undefined) return [];
  const gone = before.filter(({ name }) => !after.some((each) => each.name === name));
  const changed = after.flatMap((next) => {
    const old = before.find((each) => each.name === next.name);
    if (old === undefined) return next.optional ? [] : [`input ${next.name}: new, and must be given`];
    const must = old.optional && !next.optional ? [`input ${next.name}: optional → must be given`] : [];
    return [...must, ...tensorChanges(`input ${next.name}`, old, next, takesAll)];
  });
  return [...gone.map(({ name }) => `input ${name}: is gone`), ...changed];
}

/** A handler's answer has a form of its own, whatever the model gives it. */
function outputChanges(before: ModelSchema, after: ModelSchema): readonly string[] {
  if (before.outputs === undefined || after.outputs === undefined) return [];
  if ([before, after].some(({ handler }) => handler !== "base_handler")) return [];
  // Sizes that follow those of an input were seen with one of its sizes.
  const fixed = [before, after].every(({ inputs }) => inputs?.every(({ shape }) => !shape.includes(-1)) === true);
  if (before.outputs.length !== after.outputs.length) {
    return [`outputs: ${before.outputs.length} → ${after.outputs.length}`];
  }
  return before.outputs.flatMap((old, index) => {
    const next = after.outputs?.[index] ?? old;
    const named = old.name === next.name ? [] : [`output ${old.name}: is called ${next.name}`];
    return [...named, ...tensorChanges(`output ${old.name}`, old, next, fixed ? isSame : anySize)];
  });
}

type Fits = (before: number, after: number) => boolean;
/** -1 takes any length. */
const takesAll: Fits = (before, after) => after === -1 || after === before;
const isSame: Fits = (before, after) => before === after;
const anySize: Fits = () => true;

type Tensor = Pick<OutputSpec, "dtype" | "shape">;

function tensorChanges(what: string, before: Tensor, after: Tensor, fits: Fits): readonly string[] {
  const type = before.dtype === after.dtype ? [] : [`${what}: ${before.dtype} → ${after.dtype}`];
  const sameShape =
    before.shape.length === after.shape.length && before.shape.every((size, i) => fits(size, after.shape[i] ?? 0));
  return sameShape ? type : [...type, `${what}: shape ${shown(before.shape)} → ${shown(after.shape)}`];
}

/** Without the batch dimension. */
const shown = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
