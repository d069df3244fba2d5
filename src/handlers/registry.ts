/** The handlers of the models on one HTTP thread: what main announced, ready to run. */

import type { AnswerLimit, HandlerSpec, ModelInterface } from "../types.js";
import { baseHandler } from "./builtin/base-handler.js";
import { pythonHandler } from "./builtin/python.js";
import { imageClassifier } from "./builtin/image-classifier.js";
import { imageSegmenter } from "./builtin/image-segmenter.js";
import { objectDetector } from "./builtin/object-detector.js";
import { scriptHandler } from "./builtin/script.js";
import { textClassifier } from "./builtin/text-classifier.js";
import { textEmbedding } from "./builtin/text-embedding.js";
import { tokenClassifier } from "./builtin/token-classifier.js";
import type { Handler, HandlerContext } from "./handler.js";
import { PictureDecoder } from "./picture.js";
import { TextReader } from "./text/text-input.js";

/** One version as a thread knows it. */
export interface KnownVersion {
  readonly name: string;
  readonly version: string;
  readonly handler: Handler;
  readonly limit: AnswerLimit;
  /** The handler in words: two versions with equal ones read and answer alike. */
  readonly words: string;
  readonly about: ModelInterface;
}

interface KnownModel {
  readonly versions: Map<string, KnownVersion>;
  defaultVersion: string;
}

const unknown: ModelInterface = {
  kind: "torchscript",
  inputs: [],
  outputs: [],
  maxBatchSize: 1,
  maxBatchDelayMs: 0,
};

export class HandlerRegistry {
  private readonly models = new Map<string, KnownModel>();
  private readonly pictures: PictureDecoder;
  private readonly texts: TextReader;

  private readonly context: HandlerContext;

  constructor(context: HandlerContext) {
    this.context = context;
    this.pictures = new PictureDecoder(context);
    this.texts = new TextReader(context);
  }

  /** Replaces what was known of this version. The first version of a name is its default until told otherwise. */
  announce(name: string, version: string, spec: HandlerSpec, limit: AnswerLimit, about = unknown): void {
    const model = this.models.get(name) ?? { versions: new Map<string, KnownVersion>(), defaultVersion: version };
    const words = JSON.stringify(spec);
    model.versions.set(version, {
      name,
      version,
      handler: this.make(name, version, spec, limit.timeoutMs),
      limit,
      words,
      about,
    });
    this.models.set(name, model);
  }

  setDefault(name: string, version: string): void {
    const model = this.models.get(name);
    if (model !== undefined) model.defaultVersion = version;
  }

  withdraw(name: string, version: string): void {
    const model = this.models.get(name);
    model?.versions.delete(version);
    if (model?.versions.size === 0) this.models.delete(name);
  }

  /** Every version of every name, in the order in which they were announced. */
  all(): { readonly name: string; readonly version: string }[] {
    return [...this.models.keys()].flatMap((name) => this.versions(name).map((version) => ({ name, version })));
  }

  /** Undefined when there is more than one name, or none. */
  onlyName(): string | undefined {
    const names = this.models.keys();
    const first = names.next();
    return first.done === true || names.next().done !== true ? undefined : first.value;
  }

  /** version "": the default one. */
  find(name: string, version: string): KnownVersion | undefined {
    const model = this.models.get(name);
    if (version !== "") return model?.versions.get(version);
    return model?.versions.get(model.defaultVersion) ?? model?.versions.values().next().value;
  }

  /** The versions of a name in the order in which they were announced. */
  versions(name: string): readonly string[] {
    return [...(this.models.get(name)?.versions.keys() ?? [])];
  }

  /** Whether all versions of a name read and answer alike, so that it does not matter here which one the engine takes. */
  alike(name: string): boolean {
    const [first, ...others] = this.models.get(name)?.versions.values() ?? [];
    return others.every((each) => each.words === first?.words);
  }

  private make(name: string, version: string, spec: HandlerSpec, timeoutMs: number): Handler {
    if (spec.python === true) return pythonHandler(spec, `${name}/${version}`, timeoutMs, this.context.workers);
    if (spec.script !== undefined) return scriptHandler(spec, spec.script, timeoutMs, this.context.scripts);
    switch (spec.name) {
      case "image_classifier":
        return imageClassifier(spec, this.context, this.pictures);
      case "image_segmenter":
        return imageSegmenter(spec, this.context, this.pictures);
      case "object_detector":
        return objectDetector(spec, this.context, this.pictures);
      case "text_classifier":
        return textClassifier(spec, this.texts);
      case "text_embedding":
        return textEmbedding(spec, this.texts);
      case "token_classifier":
        return tokenClassifier(spec, this.texts);
      default:
        return baseHandler(spec);
    }
  }
}
