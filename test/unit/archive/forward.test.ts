import { expect, test } from "vitest";
import { forwardFault } from "../../../src/archive/forward.js";
import type { Method } from "../../../src/archive/probe.js";
import type { Signature } from "../../../src/types.js";

const method = (...types: readonly string[]): readonly Method[] => [
  {
    name: "forward",
    arguments: types.map((type, index) => ({
      name: "abc"[index]!,
      type: type.replace(" =", ""),
      default: type.endsWith("="),
    })),
    returns: "Tensor",
  },
];
const declared = (...names: readonly string[]): Signature => ({
  declared: true,
  inputs: names.map((name) => ({
    name: name.replace("?", ""),
    dtype: "float32",
    shape: [1],
    optional: name.endsWith("?"),
  })),
  outputs: [],
});
const open: Signature = { declared: false, inputs: [], outputs: [] };
const noTensor =
  "which takes no tensor: a request would have nothing to send and a batch no size; give it an argument that is a tensor";

test.each([
  [declared("x"), method("Tensor"), undefined],
  [declared("b", "a"), method("Tensor", "Tensor"), undefined],
  [declared("x"), method("Tensor", "Tensor ="), undefined],
  [declared("x", "y?"), method("Tensor", "Optional[Tensor]"), undefined],
  [declared("x", "y"), method("Tensor"), "2 inputs are declared (sconce.inputs), but the model is forward(a)"],
  [declared("x"), method("Tensor", "Tensor"), "no input for argument 'b' of forward(a, b)"],
  [declared("b"), method("Tensor", "Tensor"), "no input for argument 'a' of forward(a, b)"],
  [declared("x"), method("int"), "argument 'a' of forward(a) is not a tensor; only tensors can be sent"],
  [
    declared("x?"),
    method("Tensor"),
    "input 'x' is declared optional, but forward() takes no None there and has no default",
  ],
  [open, method("Tensor", "int ="), undefined],
  [open, method("Any"), undefined],
  [open, method("Optional[Tensor]", "Optional[int]"), undefined],
  [
    open,
    method("Tensor", "int"),
    "argument 'b' of forward(a, b) is not a tensor and has no default; only tensors can be sent",
  ],
  [open, method(), `the model is forward(), ${noTensor}`],
  [open, method("int ="), `the model is forward(a), ${noTensor}`],
  [open, [], undefined],
  [declared("x"), [], undefined],
])("case %#", (signature, methods, fault) => {
  expect(forwardFault(signature, methods)).toBe(fault);
});
