/**
 * Counters of the HTTP threads and the state that main shows them, in memory all threads share. Each thread writes
 * its own region without locks; a scrape sums the regions.
 */

import type { Health } from "../models/models.js";

/** Every status an answer can have; anything else counts under the last. */
export const countedStatuses = [
  200, 202, 204, 206, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 429, 431, 499, 500, 501, 503, 504, 507, 0,
] as const;

/** Per-thread rows after the statuses. */
export const threadRows = [
  "connections_opened",
  "connections_closed",
  "refused_total",
  "refused_address",
  "writes_cut",
  "in_flight",
  "refused_descriptors",
] as const;
export type ThreadRow = (typeof threadRows)[number];

const healths: readonly Health[] = ["healthy", "partial", "unready", "empty"];

const headerBytes = 64;
/** Regions are padded to whole cache lines so that threads do not share one. */
const regionRows = Math.ceil((countedStatuses.length + threadRows.length) / 8) * 8;

/** Shared memory for `threads` writers. */
export function createHttpState(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(headerBytes + threads * regionRows * 8);
}

/** A view on the shared memory; `thread` is the region this view may write to. */
export class HttpState {
  private readonly flags: Int32Array;
  private readonly all: Float64Array;
  private readonly own: Float64Array;
  private readonly statusIndex: Uint8Array;
  readonly threads: number;

  readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.memory = memory;
    this.flags = new Int32Array(memory, 0, headerBytes / 4);
    this.all = new Float64Array(memory, headerBytes);
    this.threads = this.all.length / regionRows;
    this.own = this.all.subarray(thread * regionRows, (thread + 1) * regionRows);
    this.statusIndex = new Uint8Array(600).fill(countedStatuses.length - 1);
    countedStatuses.forEach((status, index) => (this.statusIndex[status] = index));
    this.statusIndex[0] = countedStatuses.length - 1;
  }

  get health(): Health {
    return healths[Atomics.load(this.flags, 0)] ?? "unready";
  }
  set health(value: Health) {
    Atomics.store(this.flags, 0, healths.indexOf(value));
  }
  get draining(): boolean {
    return this.flags[1] !== 0;
  }
  set draining(value: boolean) {
    Atomics.store(this.flags, 1, value ? 1 : 0);
  }

  /** Adds to the number of open connections of all threads and returns the new number. */
  addConnections(change: number): number {
    return Atomics.add(this.flags, 2, change) + change;
  }
  get connections(): number {
    return Atomics.load(this.flags, 2);
  }

  countAnswer(status: number): void {
    const index = this.statusIndex[status] ?? countedStatuses.length - 1;
    this.own[index] = (this.own[index] ?? 0) + 1;
  }
  count(row: ThreadRow, change = 1): void {
    const index = countedStatuses.length + threadRows.indexOf(row);
    this.own[index] = (this.own[index] ?? 0) + change;
  }
  /** In flight is written often: a store of the thread's own number. */
  setInFlight(value: number): void {
    this.own[countedStatuses.length + 5] = value;
  }

  answers(status: number): number {
    return this.sum(countedStatuses.indexOf(status as (typeof countedStatuses)[number]));
  }
  get allAnswers(): number {
    return countedStatuses.reduce<number>((sum, _status, index) => sum + this.sum(index), 0);
  }
  total(row: ThreadRow): number {
    return this.sum(countedStatuses.length + threadRows.indexOf(row));
  }

  private sum(index: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.threads; thread++) sum += this.all[thread * regionRows + index] ?? 0;
    return sum;
  }
}
