/** The handlers of the models on one HTTP thread: what main announced, ready to run. */

import type { HandlerSpec } from "../types.js";
import { baseHandler } from "./builtin/base-handler.js";
import { imageClassifier } from "./builtin/image-classifier.js";
import type { Handler, HandlerContext } from "./handler.js";
import { PictureDecoder } from "./picture.js";

/** One version as a thread knows it. */
export interface KnownVersion {
  readonly name: string;
  readonly version: string;
  readonly handler: Handler;
  readonly responseTimeoutMs: number;
}

export class HandlerRegistry {
  private readonly models = new Map<string, Map<string, KnownVersion>>();
  private readonly pictures: PictureDecoder;

  private readonly context: HandlerContext;

  constructor(context: HandlerContext) {
    this.context = context;
    this.pictures = new PictureDecoder(context);
  }

  /** Replaces what was known of this version. */
  announce(name: string, version: string, spec: HandlerSpec, responseTimeoutMs: number): void {
    const versions = this.models.get(name) ?? new Map<string, KnownVersion>();
    versions.set(version, { name, version, handler: this.make(spec), responseTimeoutMs });
    this.models.set(name, versions);
  }

  /** version "": the default is the engine's affair; any version's handler decides how the body is read, so the first is taken. */
  find(name: string, version: string): KnownVersion | undefined {
    const versions = this.models.get(name);
    if (version !== "") return versions?.get(version);
    return versions?.values().next().value;
  }

  private make(spec: HandlerSpec): Handler {
    return spec.name === "image_classifier" ? imageClassifier(spec, this.context, this.pictures) : baseHandler(spec);
  }
}
