/** Instances of a served version in the engine: TorchServe's workers. Main thread only. */
import type { Engine, ModelStats } from "../engine/engine.js";
import type { Workers } from "./models.js";
import { instancesFor } from "./policy.js";
import type { Tracked } from "./tracked.js";

/** How often a scaling that waits looks whether the instances have ended. */
const pollMs = 5;

type Named = Pick<Tracked, "name" | "version">;

export class Instances {
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Instances asked for, and threads of them that have not ended; both 0 when the version is not served. */
  figures({ name, version }: Named): Pick<ModelStats, "instances" | "lanes" | "starting" | "broken"> {
    const found = this.engine.stats().find((each) => each.name === name && each.version === version);
    return found ?? { instances: 0, lanes: 0 };
  }

  /** Brings the number between the bounds, as far as the model allows. */
  resize(model: Tracked, workers: Workers): void {
    this.engine.resize(model.name, model.version, instancesFor(this.figures(model).instances, workers));
    model.started(this.figures(model).instances);
  }

  /** Whether all instances end again and again, so that none answers. */
  broken(model: Named): boolean {
    const { instances, broken = 0 } = this.figures(model);
    return broken > 0 && broken >= instances;
  }

  /** Whether no instance is left that is too many and none still loads, looked at until `ms` are over. */
  async settled(model: Named, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    for (;;) {
      const { lanes, instances, starting = 0 } = this.figures(model);
      if (lanes <= instances && starting === 0) return true;
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}
