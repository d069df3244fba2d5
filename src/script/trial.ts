/**
 * After the end of a handler's thread: which of the requests that it had was at fault? One that was alone was. Of several
 * each is tried once more, with no other one that might be and with none after it; who ends the thread then has done it. The
 * threads that serve have two words of memory together for it, for each of the handler's threads. Thread: one that serves.
 */

/** How often the lock is looked at while another thread has it. */
const lookMs = 5;
/** 1: a request is tried. */
const lock = 0;
/** Requests sent to the handler's thread and not answered by it; one that nobody waits for counts, as it may still run. */
const open = 1;
const words = 2;

export function trialMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
}

export class Trial {
  private readonly words: Int32Array;
  private mine = false;
  private timer: NodeJS.Timeout | undefined;

  /** `shared`: trialMemory() of the handler's thread. */
  constructor(shared: SharedArrayBuffer = trialMemory()) {
    this.words = new Int32Array(shared);
  }

  sent(): void {
    Atomics.add(this.words, open, 1);
  }

  answered(): void {
    Atomics.sub(this.words, open, 1);
  }

  /** No request is with the thread but one. */
  get lone(): boolean {
    return Atomics.load(this.words, open) === 1;
  }

  /** A request of this thread's is tried. */
  get runs(): boolean {
    return this.mine;
  }

  /** True: it may be tried. False: `again` is called when it is worth another look. */
  begin(again: () => void): boolean {
    this.mine ||= Atomics.compareExchange(this.words, lock, 0, 1) === 0;
    clearTimeout(this.timer);
    if (!this.mine) this.timer = setTimeout(again, lookMs);
    return this.mine;
  }

  /** The request has its answer, or nobody waits for it. */
  end(): void {
    clearTimeout(this.timer);
    if (this.mine) Atomics.store(this.words, lock, 0);
    this.mine = false;
  }
}
