/**
 * What the gRPC thread counts, in memory that main reads at a scrape. One writer, so no locks.
 */

import { type RpcStatus, rpcStatus } from "../rpc.js";

export const rpcStatusNames = Object.keys(rpcStatus) as readonly RpcStatus[];

const openRow = rpcStatusNames.length;
const connectionsRow = openRow + 1;
const rows = connectionsRow + 1;

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
  get connections(): number {
    return this.all[connectionsRow] ?? 0;
  }
}
