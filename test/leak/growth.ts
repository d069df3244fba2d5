/** Memory over time and the straight line through its second half. */

export interface Growth {
  /** Slope of the least-squares line through the second half, in KiB per second. */
  readonly kibPerSecond: number;
  /** What the line gains over the second half, in KiB. */
  readonly gainedKib: number;
  readonly samples: number;
}

export interface MemorySample {
  readonly seconds: number;
  readonly kib: number;
}

/** Fits a line through the second half of the samples (by time). Needs four samples there. */
export function growthOf(samples: readonly MemorySample[]): Growth {
  const last = samples.at(-1)?.seconds ?? 0;
  const half = samples.filter((each) => each.seconds >= last / 2);
  if (half.length < 4) throw new Error(`only ${half.length} samples in the second half`);
  const mean = (of: (each: MemorySample) => number): number =>
    half.reduce((sum, each) => sum + of(each), 0) / half.length;
  const meanSeconds = mean((each) => each.seconds);
  const meanKib = mean((each) => each.kib);
  const covariance = mean((each) => (each.seconds - meanSeconds) * (each.kib - meanKib));
  const kibPerSecond = covariance / mean((each) => (each.seconds - meanSeconds) ** 2);
  const span = (half.at(-1)?.seconds ?? 0) - (half[0]?.seconds ?? 0);
  return { kibPerSecond, gainedKib: kibPerSecond * span, samples: half.length };
}

/**
 * The smaller growth of up to `windows` windows, until one is below the limit. A leak grows in every one of them; a heap
 * that settles, or an arena that the allocator takes once, does not.
 */
export async function leastGrowth(
  limit: number,
  windows: number,
  window: (index: number) => Promise<readonly MemorySample[]>,
): Promise<number> {
  let least = Infinity;
  for (let index = 0; index < windows && least >= limit; index++) {
    least = Math.min(least, growthOf(await window(index)).kibPerSecond);
  }
  return least;
}

/** Takes `kib()` every `everyMs` until `done` settles. */
export async function watchMemory(kib: () => number, everyMs: number, done: Promise<unknown>): Promise<MemorySample[]> {
  const began = Date.now();
  const samples: MemorySample[] = [];
  const running = { now: true };
  const stop = (): void => {
    running.now = false;
  };
  void done.then(stop, stop);
  while (running.now) {
    samples.push({ seconds: (Date.now() - began) / 1000, kib: kib() });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return samples;
}
