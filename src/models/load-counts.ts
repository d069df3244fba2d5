/** How many loads ended how, by what asked for them. */
import type { LoadCount } from "./models.js";

export class LoadCounts {
  private readonly counts = new Map<string, number>();

  add(trigger: LoadCount["trigger"], ok: boolean): void {
    const key = `${trigger} ${ok ? "ok" : "failed"}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  all(): readonly LoadCount[] {
    return [...this.counts].map(([key, count]) => {
      const [trigger, outcome] = key.split(" ") as [LoadCount["trigger"], LoadCount["outcome"]];
      return { trigger, outcome, count };
    });
  }
}
