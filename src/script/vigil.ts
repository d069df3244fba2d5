/**
 * Keeps a thread awake while a handler looks at the one request that the thread has with it, when the last such answer
 * came quickly: the answer then finds a running thread, which saves the time that a sleeping core needs to wake. With a
 * second request under way, with a handler that takes longer, or after a wrong guess it sleeps as ever.
 *
 *   const vigil = new Vigil(limitMs);
 *   vigil.began(open);    // a request was sent; `open`: how many are with the handler now
 *   vigil.ended();        // one was answered, or nobody waits for it any more
 *
 * Thread: one per thread that serves.
 */

export class Vigil {
  private readonly limitMs: number;
  private readonly now: () => number;
  private readonly later: (step: () => void) => void;
  private since = 0;
  /** One request, and no other since it was sent. */
  private alone = false;
  private quick = false;
  private waiting = false;

  /** `limitMs`: the longest answer that is waited for awake; 0: none is. */
  constructor(
    limitMs: number,
    now: () => number = () => performance.now(),
    later: (step: () => void) => void = setImmediate,
  ) {
    this.limitMs = limitMs;
    this.now = now;
    this.later = later;
  }

  began(open: number): void {
    this.alone = open === 1;
    if (!this.alone) return;
    this.since = this.now();
    if (!this.quick || this.waiting) return;
    this.waiting = true;
    this.later(this.step);
  }

  ended(): void {
    if (this.alone) this.quick = this.now() - this.since < this.limitMs;
    this.alone = false;
  }

  /** Once round the event loop, which does not sleep as long as a step is due. */
  private readonly step = (): void => {
    if (this.alone && this.now() - this.since < this.limitMs) this.later(this.step);
    else this.waiting = false;
  };
}
