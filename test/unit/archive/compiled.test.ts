import { describe, expect, test } from "vitest";
import { checkCompiled, CompiledScan } from "../../../src/archive/compiled.js";
import type { InputSpec } from "../../../src/types.js";

/** As torch 2.13 writes it into a package's wrapper. */
const check = (input: number, what: string, expected: string) => `
        std::stringstream ss;
        ss << "input_handles[${input}]: ${what}, "
           << ${expected} << "but got: " << arg${input}_1_size[0] << "\\n";
        throw std::runtime_error(std::move(ss).str());`;
const type = (input: number, name: string) =>
  check(input, "unmatched dtype", `"expected: " << arg${input}_1_expected_dtype << "(at::k${name}), "\n           `);
const exactly = (input: number, dimension: number, size: number) =>
  check(input, `unmatched dim value at ${dimension}`, `"expected: ${size}, "`);
const atMost = (input: number, dimension: number, size: number) =>
  check(input, `dim value is too large at ${dimension}`, `"expected to be <= ${size}, "`);

const file = "m/data/aotinductor/model/c.wrapper.cpp";
const source = [
  type(0, "Long"),
  exactly(0, 0, 1),
  exactly(0, 1, 64),
  type(1, "Float"),
  atMost(1, 0, 8),
  atMost(1, 1, 32),
];

function scanned(text: string, name = file) {
  const scan = new CompiledScan();
  scan.take(name, Buffer.from(text));
  return scan.inputs;
}

describe("what a package was compiled for", () => {
  test("wherever its source is cut into chunks", () => {
    const text = source.join("");
    const whole = scanned(text);
    expect(whole.get(0)).toEqual({ dtype: "int64", sizes: new Map([[0, 1], [1, 64]]), most: new Map() }); // prettier-ignore
    expect(whole.get(1)).toEqual({ dtype: "float32", sizes: new Map(), most: new Map([[0, 8], [1, 32]]) }); // prettier-ignore
    for (let at = 0; at <= text.length; at++) {
      const scan = new CompiledScan();
      scan.take(file, Buffer.from(text.slice(0, at)));
      scan.take(file, Buffer.from(text.slice(at)));
      expect(scan.inputs).toEqual(whole);
    }
  });

  test("in its source alone", () => {
    expect(scanned(source.join(""), "m/data/weights/c.wrapper.cpp").size).toBe(0);
    expect(scanned("int main() {}").size).toBe(0);
  });
});

describe("declared inputs", () => {
  const x = (shape: readonly number[], dtype: InputSpec["dtype"] = "int64"): InputSpec => ({
    name: "x",
    dtype,
    shape,
    optional: false,
  });
  const checked = (text: string, input: InputSpec, buckets?: readonly number[]) =>
    checkCompiled("m.pt2", scanned(text), [input], buckets && { buckets });

  test("that fit, or of which nothing is known", () => {
    const fixed = type(0, "Long") + exactly(0, 0, 1) + exactly(0, 1, 64);
    expect(() => checked(fixed, x([64]))).not.toThrow();
    const dynamic = atMost(0, 0, 2) + atMost(0, 1, 64);
    expect(() => checked(dynamic, x([64]))).not.toThrow();
    expect(() => checked(dynamic, x([-1]), [16, 64])).not.toThrow();
    expect(() => checked("", x([-1, -1], "float32"))).not.toThrow();
  });

  test.each([
    ["another dtype", type(0, "Float"), x([4]), undefined, "float32, and sconce.inputs declares int64"],
    [
      "any size",
      exactly(0, 2, 64),
      x([3, -1]),
      undefined,
      "size 64 in dimension 2, and sconce.inputs declares shape [3,-1]: make it [3,64],",
    ],
    [
      "another size",
      exactly(0, 1, 64),
      x([32]),
      undefined,
      "size 64 in dimension 1, and sconce.inputs declares shape [32]: make it [64],",
    ],
    ["one dimension less", exactly(0, 2, 64), x([3]), undefined, "size 64 in dimension 2"],
    ["batches of one size", exactly(0, 0, 8), x([3]), undefined, "batches of 8 alone: export it for one sample"],
    [
      "more than it takes",
      atMost(0, 1, 64),
      x([65]),
      undefined,
      "sizes up to 64 in dimension 1, and sconce.inputs asks for 65",
    ],
    [
      "longer texts",
      atMost(0, 1, 64),
      x([-1]),
      [64, 128],
      "sizes up to 64 in dimension 1, and sconce.text.maxLength or buckets asks for 128",
    ],
  ] as const)("%s", (_what, text, input, buckets, message) => {
    expect(() => checked(text, input, buckets)).toThrow(`m.pt2: input x was compiled for ${message}`);
  });
});
