/**
 * How many file descriptors this process may have, and whether the last ones are near. Connections stop before the last
 * are gone: an accepting socket for which none is left would keep its thread busy, and models, logs and `/metrics` need
 * some, too. Any thread; descriptors belong to the process.
 */
import { closeSync, openSync, readFileSync } from "node:fs";

/** Kept for files and pipes of the server itself. */
export const spareDescriptors = 32;
/** What else needs descriptors may have ended by then. */
const ceilingMs = 5000;

/** From /proc/self/limits (see proc(5)): the soft limit, which Node raises to the hard one as it starts. */
export function descriptorLimit(limits: string): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}

export class Descriptors {
  private readonly limit: number;
  private readonly lowestFree: () => number;
  private readonly now: () => number;
  /** So many connections were too many, for a while. */
  private ceiling = Infinity;
  private until = 0;

  /** `lowestFree`: the descriptor that the next file would get; throws when there is none. */
  constructor(
    limit = descriptorLimit(readLimits()),
    lowestFree: () => number = tryOne,
    now: () => number = () => performance.now(),
  ) {
    this.limit = limit;
    this.lowestFree = lowestFree;
    this.now = now;
  }

  /** Whether somebody with this many connections may not have another. Few are never asked for, so that a small port stays open. */
  refuses(connections: number): boolean {
    if (connections <= this.limit / 8) return false;
    // The descriptor of one that was refused is free again while those behind it, accepted already, have higher ones.
    if (connections >= this.ceiling && this.now() < this.until) return true;
    if (!this.short()) return false;
    this.ceiling = connections;
    this.until = this.now() + ceilingMs;
    return true;
  }

  private short(): boolean {
    try {
      return this.lowestFree() >= this.limit - spareDescriptors;
    } catch {
      return true;
    }
  }
}

/** The kernel gives the lowest that is free. */
function tryOne(): number {
  const fd = openSync("/dev/null", "r");
  closeSync(fd);
  return fd;
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "latin1");
  } catch {
    return "";
  }
}
