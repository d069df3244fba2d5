/** How many requests have waited for which version to be loaded. Thread: main. */

interface Version {
  readonly name: string;
  readonly version: string;
}

export class LoadWaits {
  private readonly counts = new Map<string, number>();

  readonly add = (name: string, version: string): void => {
    const key = keyOf({ name, version });
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  };

  of(version: Version): number {
    return this.counts.get(keyOf(version)) ?? 0;
  }

  /** Forgets all others: what is removed takes its count along, as it does with all of its metrics. Asked often. */
  keep(versions: readonly Version[]): void {
    if (this.counts.size === 0) return;
    const kept = new Set(versions.map(keyOf));
    for (const key of this.counts.keys()) if (!kept.has(key)) this.counts.delete(key);
  }

  get size(): number {
    return this.counts.size;
  }
}

const keyOf = ({ name, version }: Version): string => `${name}/${version}`;
