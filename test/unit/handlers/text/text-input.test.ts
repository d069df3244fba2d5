import { describe, expect, test } from "vitest";
import type { OutputTensor } from "../../../../src/handlers/handler.js";
import { together } from "../../../../src/handlers/answers.js";
import { inputsOf, outputsOf, TextReader, textSpecOf } from "../../../../src/handlers/text/text-input.js";
import { textSpec } from "./spec.js";

const reader = new TextReader({ maxImagePixels: 1, maxRequestSize: 1, decodeParallelism: 2 });
const request = (text: string) => ({ body: new TextEncoder().encode(text), contentType: "" });
const long = "time ".repeat(100);

test("texts become the model's inputs", async () => {
  const spec = textSpec();
  const read = await reader.forModel(spec, true)(request('["time person", "way"]'));
  expect(read).toMatchObject({ form: "list", texts: ["time person", "way"] });
  expect(read.tokens[0]!.ids.at(0)).toBe(2);
  expect(read.tokens[0]!.ids.at(-1)).toBe(3);
  expect(read.tokens[0]!.pieces).toHaveLength(read.tokens[0]!.ids.length);
  const { rows } = inputsOf(read, spec);
  expect(rows.map((row) => row.map(({ name, shape }) => [name, shape]))).toEqual([
    [
      ["input_ids", [16]],
      ["attention_mask", [16]],
    ],
    [
      ["input_ids", [16]],
      ["attention_mask", [16]],
    ],
  ]);
});

describe("texts over the model's length", () => {
  test("are refused, with the option that cuts", async () => {
    const read = reader.forModel(textSpec(), false);
    await expect(read(request(long))).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/^The text has \d+ tokens, more than the model's 64 .*overlong: cut/u) as string,
    });
    await expect(read(request(JSON.stringify(["a", long])))).rejects.toThrow("Text 1 has");
  });

  test("or cut", async () => {
    const { tokens } = await reader.forModel(textSpec({ overlong: "cut" }), false)(request(long));
    expect(tokens[0]!.ids).toHaveLength(64);
    expect(tokens[0]!.ids.at(-1)).toBe(3);
  });
});

test("a text without tokens", async () => {
  const tokenizer = textSpec().tokenizer.replace("wordpiece", "bytelevel");
  await expect(reader.forModel(textSpec({ tokenizer }), false)(request(""))).rejects.toThrow("The text has no tokens");
});

test("the handler's output of each text, and the answers together", () => {
  const tensor = (value: number): OutputTensor => ({ dtype: "uint8", shape: [1], data: Uint8Array.of(value) });
  const read = { form: "list", texts: ["a", "b"], tokens: [] } as const;
  const outputs = [1, 2, 3, 4].map(tensor);
  expect(outputsOf(outputs, read, textSpec({ output: 1 }))).toEqual([tensor(2), tensor(4)]);
  expect(() => outputsOf(outputs, read, textSpec({ output: 2 }))).toThrow(
    "gave 2 outputs, and sconce.text.output is 2",
  );
  expect(JSON.parse(together(["1", "2"], read.form))).toEqual([1, 2]);
  expect(JSON.parse(together(["1", "2"], "instances"))).toEqual({ predictions: [1, 2] });
  expect(together(["1"], "one")).toBe("1");
  expect(() => textSpecOf(undefined)).toThrow("without its tokenizer");
});
