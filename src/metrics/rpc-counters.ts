/**
 * What the gRPC thread counts, in memory that main reads at a scrape. One writer, so no locks.
 */

import { type RpcStatus, rpcStatus } from "../rpc.js";

export const rpcStatusNames = Object.keys(rpcStatus) as readonly RpcStatus[];

const openRow = rpcStatusNames.length;
const connectionsRow = openRow + 1;
const refusedRow = connectionsRow + 1;

/** Why a connection is closed at once. */
export const refusalReasons = ["total", "address", "descriptors"] as const;
export type RefusalReason = (typeof refusalReasons)[number];

const rows = refusedRow + refusalReasons.length;

export function createRpcMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(rows * 8);
}

export class RpcCounters {
  private readonly all: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.all = new Float64Array(memory);
  }

  countEnd(status: RpcStatus): void {
    const row = rpcStatus[status];
    this.all[row] = (this.all[row] ?? 0) + 1;
  }
  /** Calls of the services, health watches and reflection aside. */
  addOpen(change: number): void {
    this.all[openRow] = this.open + change;
  }
  addConnections(change: number): void {
    this.all[connectionsRow] = this.connections + change;
  }
  countRefused(reason: RefusalReason): void {
    const row = refusedRow + refusalReasons.indexOf(reason);
    this.all[row] = (this.all[row] ?? 0) + 1;
  }

  ended(status: RpcStatus): number {
    return this.all[rpcStatus[status]] ?? 0;
  }
  /** Calls that ended, however. */
  get allEnded(): number {
    return this.all.subarray(0, openRow).reduce((sum, count) => sum + count, 0);
  }
  get open(): number {
    return this.all[openRow] ?? 0;
  }
  refused(reason: RefusalReason): number {
    return this.all[refusedRow + refusalReasons.indexOf(reason)] ?? 0;
  }
  get connections(): number {
    return this.all[connectionsRow] ?? 0;
  }
}
