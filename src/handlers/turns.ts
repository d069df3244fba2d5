/** Lets a bounded number of jobs run at once; the others wait in order, up to a limit. Thread: one per HTTP thread. */

import { ServerError } from "../errors.js";

export class Turns {
  private readonly atOnce: number;
  private readonly mayWait: number;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(atOnce: number, mayWait: number) {
    this.atOnce = atOnce;
    this.mayWait = mayWait;
  }

  /** Rejects with queue_full, in `words`, when too many wait. */
  async run<T>(words: string, job: () => Promise<T>): Promise<T> {
    if (this.running < this.atOnce) this.running++;
    else {
      if (this.waiting.length >= this.mayWait) throw new ServerError("queue_full", words);
      await new Promise<void>((go) => this.waiting.push(go));
    }
    try {
      return await job();
    } finally {
      // The place goes to the next in line.
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}
