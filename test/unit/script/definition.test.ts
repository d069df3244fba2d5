import { expect, test } from "vitest";
import { checkDefinition } from "../../../src/script/definition.js";

test("a handler has a hook, and nothing strange", () => {
  const hook = (): number => 1;
  expect(checkDefinition({ preprocess: hook, batch: true }, "h.ts")).toMatchObject({ batch: true });
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /no default export/],
    [null, /no default export/],
    [hook, /no default export/],
    [{}, /neither preprocess nor inference nor postprocess/],
    [{ batch: true, inference: hook }, /for one request at a time/],
    [{ initialize: hook }, /neither preprocess/],
    [{ preprocess: 1 }, /a preprocess that is no function/],
    [{ preprocess: hook, batch: 3 }, /neither true nor false/],
    [{ handle: hook }, /"handle", which is none of/],
  ];
  for (const [value, words] of wrong) expect(() => checkDefinition(value, "h.ts")).toThrow(words);
});
