import { expect, test } from "vitest";
import type { Method } from "../../../src/archive/probe.js";
import { signatureTypes } from "../../../src/cli/handler-types.js";

const bare = { declared: false, inputs: [], outputs: [] };
const forward = (returns: string, ...types: readonly string[]): readonly Method[] => [
  { name: "other", arguments: [{ name: "no", type: "Tensor", default: false }], returns: "Tensor" },
  { name: "forward", arguments: types.map((type, i) => ({ name: `a${i}`, type, default: i > 1 })), returns },
];

test("what is declared has its dtype and shape", () => {
  const inputs = [
    { name: "ids", dtype: "int64", shape: [2, -1], optional: false },
    { name: "the mask", dtype: "bool", shape: [], optional: true },
  ] as const;
  const text = signatureTypes("m", { declared: true, inputs, outputs: ["y", "z"] }, forward("Dict[str, Tensor]"));
  expect(text).toContain(
    `  readonly "ids": { readonly dtype: "int64"; readonly shape: readonly [2, number]; readonly data: BigInt64Array };
  readonly "the mask"?: { readonly dtype: "bool"; readonly shape: readonly []; readonly data: Uint8Array };
`,
  );
  expect(text).toContain(
    'ModelOutputs = readonly [OutputTensor & { readonly name: "y" }, OutputTensor & { readonly name: "z" }];',
  );
  expect(text).toContain('import type { OutputTensor } from "sconce"');
});

test("where nothing is declared, forward's arguments that are tensors", () => {
  const text = signatureTypes("m", bare, forward("Tensor", "Tensor", "Optional[Tensor]", "Tensor", "int"));
  expect(text).toContain('  readonly "a0": Tensor;\n  readonly "a1"?: Tensor;\n  readonly "a2"?: Tensor;\n}');
  expect(text).toContain('import type { OutputTensor, Tensor } from "sconce"');
});

test.each([
  ["Tensor", [], ["output_0"]],
  ["Tensor", ["y"], ["y"]],
  ["Tuple[Tensor, Tensor]", [], ["output_0", "output_1"]],
  ["Tuple[Tensor, Tensor]", ["y"], ["output_0", "output_1"]],
  ["Tuple[Tensor, Tuple[Tensor, Tensor]]", [], undefined],
  ["Dict[str, Tensor]", [], undefined],
])("a model that gives %s and declares %j", (returns, outputs, names) => {
  const text = signatureTypes("m", { ...bare, outputs }, forward(returns, "Tensor"));
  const named = names?.map((name) => `OutputTensor & { readonly name: "${name}" }`).join(", ");
  expect(text).toContain(
    `export type ModelOutputs = ${named === undefined ? "readonly OutputTensor[]" : `readonly [${named}]`};`,
  );
});

test("nothing known of the inputs is refused", () => {
  expect(() => signatureTypes("m", bare, [])).toThrow("m declares no inputs");
});
