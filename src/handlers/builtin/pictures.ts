/**
 * What handlers of pictures share: the pictures of a request, decoded, and their answers put together in the form that they
 * came in (see picture-body.ts).
 */
import { ServerError } from "../../errors.js";
import type { HandlerSpec } from "../../types.js";
import { type Form, together } from "../answers.js";
import type { Handler, HandlerContext, OutputTensor } from "../handler.js";
import type { PictureDecoder } from "../picture.js";
import { readPictures } from "../picture-body.js";

/** What `pre` leaves for `post`. */
interface Asked {
  readonly form: Form;
  readonly count: number;
}

/** `answer`: JSON of one picture's outputs. */
export function pictureHandler(
  name: string,
  spec: HandlerSpec,
  context: HandlerContext,
  decoder: PictureDecoder,
  answer: (outputs: readonly OutputTensor[]) => string,
): Handler {
  const limits = { maxBytes: context.maxRequestSize, maxPictures: spec.maxPictures ?? 1 };
  return {
    name,
    spec,
    pre: async (request) => {
      const { pictures, form } = readPictures(request.body, limits);
      const [only] = pictures;
      if (form === "one" && only !== undefined) return decoder.decode(only, spec.image?.exif);
      if (request.explains) {
        throw new ServerError("bad_request", "One picture at a time can be explained; send it alone, not in a list.");
      }
      request.state = { form, count: pictures.length } satisfies Asked;
      return decoder.decodeAll(pictures, spec.image?.exif);
    },
    post: (outputs, { state }) => {
      if (state === undefined) return answer(outputs);
      const { form, count } = state as Asked;
      const each = outputs.length / count;
      const answers = Array.from({ length: count }, (_, at) => answer(outputs.slice(at * each, (at + 1) * each)));
      return together(answers, form);
    },
  };
}
