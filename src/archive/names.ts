/** TorchServe's words: what a model may be called, and the handlers it has built in. */

/** TorchServe's rule for names; versions follow it too, as both are parts of paths. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9_\-.]*$/;
export const maxNameBytes = 256;

/** Built-in handlers that run here. */
export const nativeHandlers: readonly string[] = [
  "base_handler",
  "image_classifier",
  "image_segmenter",
  "object_detector",
  "text_classifier",
  "text_embedding",
  "token_classifier",
];

/** Those whose input is text: they have a tokenizer. */
export const textHandlers: readonly string[] = ["text_classifier", "text_embedding", "token_classifier"];

/** Those whose input is a picture: they have a transform. */
export const pictureHandlers: readonly string[] = ["image_classifier", "image_segmenter", "object_detector"];

/** A handler's file in TypeScript or JavaScript. */
export const scriptPattern = /\.(ts|mts|js|mjs)$/;

/** As its own sources name its handlers: ts/torch_handler/image_classifier.py:handle. */
const torchServesPath = /(?:^|\/)ts\/torch_handler\/([a-z_]+)\.py(?::\w+)?$/;

/** A handler by the path of one that comes with TorchServe is the built-in one. */
export function builtinOf(handler: string): string {
  const name = torchServesPath.exec(handler)?.[1] ?? "";
  return builtinHandlers.includes(name) ? name : handler;
}

/** All of TorchServe's. */
export const builtinHandlers: readonly string[] = [
  ...nativeHandlers,
  "dali_image_classifier",
  "vllm_handler",
  "trt_llm_handler",
];
