import { join } from "node:path";
import type { Handler, HandlerRequest, OutputTensor } from "../../../../src/handlers/handler.js";
import { TextReader } from "../../../../src/handlers/text/text-input.js";
import { PlainRequest } from "../../../../src/inference/request.js";
import type { TextSpec } from "../../../../src/types.js";

const folder = join(import.meta.dirname, "../../../fixtures/text");

export function textSpec(more: Partial<TextSpec> = {}): TextSpec {
  return {
    tokenizer: join(folder, "wordpiece.json"),
    inputs: [
      { name: "input_ids", role: "ids", dtype: "int64" },
      { name: "attention_mask", role: "mask", dtype: "int64" },
    ],
    maxLength: 64,
    overlong: "refuse",
    cutAt: "right",
    buckets: [16, 32, 64],
    padId: 0,
    padTypeId: 0,
    padsTo: undefined,
    padAt: "right",
    unknownId: 1,
    maxTexts: 8,
    output: 0,
    pooling: "mean",
    normalize: true,
    ...more,
  };
}

export function textReader(): TextReader {
  return new TextReader({ maxImagePixels: 1, maxRequestSize: 1, decodeParallelism: 2 });
}

export function textRequest(body: string): HandlerRequest {
  const plain = { id: "", contentType: "", accept: "", parts: undefined, headers: {}, parameters: {}, urlPath: "" };
  return new PlainRequest({ ...plain, body: new TextEncoder().encode(body), explains: false });
}

export function floats(values: readonly number[], shape: readonly number[]): OutputTensor {
  return { dtype: "float32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

/** What the handler answers for the outputs. */
export function answerOf(handler: Handler, outputs: readonly OutputTensor[], request: HandlerRequest): string {
  const made = handler.post?.(outputs, request) ?? "";
  if (typeof made !== "string") throw new Error("text handlers answer with text, at once");
  return made;
}
