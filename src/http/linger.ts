/**
 * Keeps an HTTP thread awake for a moment after its last answer when the next request is likely to follow at once: a
 * client that sends one request after another then finds a running thread, and neither side pays for putting a core to
 * sleep and waking it again, which costs more than a small model does.
 *
 * It only lingers after a request that was alone on the thread, and when the pause before that was short, so traffic with
 * longer pauses costs nothing, and a wrong guess costs one window of one core. Thread: one per HTTP thread.
 */

export class Linger {
  private readonly windowMs: number;
  private readonly now: () => number;
  private readonly later: (step: () => void) => void;
  private idleSince = -Infinity;
  private until = 0;
  private likely = false;
  private waiting = false;

  /** `windowMs`: the longest pause that is waited out; 0: none is. */
  constructor(
    windowMs: number,
    now: () => number = () => performance.now(),
    later: (step: () => void) => void = setImmediate,
  ) {
    this.windowMs = windowMs;
    this.now = now;
    this.later = later;
  }

  /** The last request in flight was answered. */
  idle(): void {
    this.idleSince = this.now();
    if (!this.likely) return;
    this.until = this.idleSince + this.windowMs;
    if (this.waiting) return;
    this.waiting = true;
    this.later(this.step);
  }

  /** A request came while none was in flight. */
  arrived(): void {
    this.likely = this.now() - this.idleSince < this.windowMs;
    this.until = 0;
  }

  /** A request came beside another: such clients keep the thread busy without help, and waiting awake would slow them. */
  joined(): void {
    this.likely = false;
  }

  /** Once round the event loop, which looks for input without sleeping as long as a step is due. */
  private readonly step = (): void => {
    if (this.until !== 0 && this.now() < this.until) {
      this.later(this.step);
      return;
    }
    if (this.until !== 0) this.likely = false;
    this.waiting = false;
  };
}
