/**
 * Whether a TorchScript method takes the inputs that are declared for it; what the engine checks when it loads the model
 * (native/torch/arg_plan.cc), for those who look at an archive without loading it. Pure.
 */
import type { Signature } from "../types.js";
import type { Method } from "./probe.js";

type Argument = Method["arguments"][number];

const tensorType = /^(?:Optional\[)?(?:Tensor|Any)\]?$/;
const mayMiss = ({ default: fallback, type }: Argument): boolean => fallback || type.startsWith("Optional[");

/** In the engine's words; undefined: it takes them, or nothing is known. */
export function forwardFault({ declared, inputs }: Signature, methods: readonly Method[]): string | undefined {
  const forward = methods.find(({ name }) => name === "forward");
  if (forward === undefined) return undefined;
  const { arguments: given } = forward;
  const shown = `forward(${given.map(({ name }) => name).join(", ")})`;
  if (!declared) return unreachable(given, shown);
  if (inputs.length > given.length) {
    return `${inputs.length} inputs are declared (sconce.inputs), but the model is ${shown}`;
  }
  const allNamed = inputs.every(({ name }) => given.some((each) => each.name === name));
  const inputOf = ({ name }: Argument, index: number) =>
    allNamed ? inputs.find((each) => each.name === name) : inputs[index];
  for (const [index, argument] of given.entries()) {
    const input = inputOf(argument, index);
    if (input === undefined && !mayMiss(argument)) return `no input for argument '${argument.name}' of ${shown}`;
    if (input !== undefined && !tensorType.test(argument.type)) {
      return `argument '${argument.name}' of ${shown} is not a tensor; only tensors can be sent`;
    }
    if (input?.optional === true && !mayMiss(argument)) {
      return `input '${input.name}' is declared optional, but forward() takes no None there and has no default`;
    }
  }
  return undefined;
}

/** A model that declares no inputs takes what requests name or send in order: only tensors, and at least one. */
function unreachable(given: readonly Argument[], shown: string): string | undefined {
  const wanted = given.find((argument) => !tensorType.test(argument.type) && !mayMiss(argument));
  if (wanted !== undefined) {
    return `argument '${wanted.name}' of ${shown} is not a tensor and has no default; only tensors can be sent`;
  }
  if (given.some(({ type }) => tensorType.test(type))) return undefined;
  return (
    `the model is ${shown}, which takes no tensor: a request would have nothing to send and a batch no size; ` +
    "give it an argument that is a tensor"
  );
}
