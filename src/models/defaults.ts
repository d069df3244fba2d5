/**
 * Which version of each name requests without a version reach: what operators chose, what is routed now, and what was
 * routed before (for rollback). Main thread only.
 */
import { rollbackTarget } from "./policy.js";

/** How many earlier defaults of a name are remembered. */
const maxHistory = 16;

export class Defaults {
  /** By name; an operator's word, while that version is ready. */
  readonly chosen = new Map<string, string>();
  readonly routed = new Map<string, string>();
  private readonly history = new Map<string, readonly string[]>();
  private readonly announcing = new Map<string, Promise<void>>();

  choose(name: string, version: string): void {
    this.chosen.set(name, version);
  }

  /** `told` resolves when every HTTP thread knows. */
  route(name: string, version: string, told: Promise<void>): void {
    const before = this.routed.get(name);
    if (before !== undefined && before !== version) {
      this.history.set(name, [...(this.history.get(name) ?? []), before].slice(-maxHistory));
    }
    this.routed.set(name, version);
    const both = Promise.all([this.announcing.get(name), told]).then(() => undefined);
    this.announcing.set(name, both);
    void both.finally(() => {
      if (this.announcing.get(name) === both) this.announcing.delete(name);
    });
  }

  /** The HTTP threads know of the last change. */
  async announced(name: string): Promise<void> {
    await this.announcing.get(name);
  }

  /** The default before the present one that is still ready. */
  previous(name: string, ready: readonly string[]): string | undefined {
    return rollbackTarget(this.history.get(name) ?? [], this.routed.get(name), ready);
  }

  /** Chooses `version` and forgets what came after it, so that the next rollback goes further back. */
  goBack(name: string, version: string): void {
    const history = this.history.get(name) ?? [];
    this.history.set(name, history.slice(0, history.lastIndexOf(version)));
    this.routed.delete(name);
    this.chosen.set(name, version);
  }

  /** The version is on its way out. */
  forget(name: string, version: string): void {
    if (this.routed.get(name) === version) this.routed.delete(name);
    if (this.chosen.get(name) === version) this.chosen.delete(name);
    const history = (this.history.get(name) ?? []).filter((each) => each !== version);
    if (history.length === 0) this.history.delete(name);
    else this.history.set(name, history);
  }
}
