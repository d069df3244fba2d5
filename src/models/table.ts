/** The versions that the manager keeps track of, and how they are found. Main thread only. */
import { ServerError } from "../errors.js";
import type { Defaults } from "./defaults.js";
import type { ModelEntry } from "./models.js";
import type { Tracked } from "./tracked.js";

export class ModelTable {
  private readonly tracked = new Map<string, Tracked>();
  private readonly defaults: Defaults;

  constructor(defaults: Defaults) {
    this.defaults = defaults;
  }

  add(model: Tracked): void {
    this.tracked.set(model.id, model);
  }

  delete(id: string): void {
    this.tracked.delete(id);
  }

  all(): readonly Tracked[] {
    return [...this.tracked.values()];
  }

  /** Throws internal when there is none: ids come from the manager itself. */
  find(id: string): Tracked {
    const found = this.tracked.get(id);
    if (!found) throw new ServerError("internal", `no model is tracked as ${id}`);
    return found;
  }

  versionsOf(name: string): readonly Tracked[] {
    return this.all().filter((model) => model.name === name);
  }

  /** Others of the same name and version whose archive was read. */
  twinsOf(model: Tracked, name: string, version: string): readonly Tracked[] {
    return this.versionsOf(name).filter((other) => other !== model && other.opened && other.version === version);
  }

  /**
   * version undefined: the default one, or the only one while it loads or has failed. Throws model_not_found and
   * version_not_found in TorchServe's words, which have no colon (`colon`) when a default is set.
   */
  version(name: string, version: string | undefined, colon = ": "): Tracked {
    const versions = this.versionsOf(name).filter((model) => model.state !== "unloading");
    if (versions.length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    const wanted = version ?? this.defaults.routed.get(name) ?? versions[0]?.version ?? "";
    const same = versions.filter((model) => model.version === wanted);
    const found = same.find((model) => model.state === "ready") ?? same[0];
    if (found) return found;
    const words = `Model version${colon}${wanted} does not exist for model${colon}${name}`;
    throw new ServerError("version_not_found", words);
  }

  /** Other versions of its name that serve or will. */
  siblingsOf(model: Tracked): readonly Tracked[] {
    return this.versionsOf(model.name).filter(
      (each) => each !== model && each.opened && each.state !== "failed" && each.state !== "unloading",
    );
  }

  entry(model: Tracked): ModelEntry {
    return model.entry(model.state === "ready" && this.defaults.routed.get(model.name) === model.version);
  }
}
