/**
 * Lets a bounded number of jobs run at once; the others wait in order, and leave at once when nobody wants them any more.
 * Main thread.
 *
 *   const turns = new Turns(2);
 *   await turns.run(() => unpack(path), { signal, onWait: () => show("waiting") });
 */
export interface Turn {
  readonly signal: AbortSignal;
  /** Called when the job does not begin at once. */
  readonly onWait?: () => void;
}

export class Turns {
  private readonly places: number;
  private readonly waiting = new Set<() => void>();
  private running = 0;

  constructor(places: number) {
    this.places = places;
  }

  /** What the job gives. Rejects with the signal's reason when that comes before the job's turn. */
  async run<T>(job: () => Promise<T>, { signal, onWait }: Turn): Promise<T> {
    signal.throwIfAborted();
    if (this.running < this.places) this.running++;
    else {
      onWait?.();
      await this.turn(signal);
    }
    try {
      return await job();
    } finally {
      this.leave();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", give);
        resolve();
      };
      const give = (): void => {
        this.waiting.delete(enter);
        reject(signal.reason as Error);
      };
      this.waiting.add(enter);
      signal.addEventListener("abort", give, { once: true });
    });
  }

  /** The place goes to the next in line. */
  private leave(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.running--;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}
