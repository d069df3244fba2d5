/** Bodies of a port whose dialect reads them on main, gathered in JavaScript memory. Thread: main. */

import type { BodyStore } from "../wire.js";

export class MemoryBodies implements BodyStore {
  private readonly chunks = new Map<number, Uint8Array[]>();

  bodyAppend(cookie: number, chunk: ArrayBuffer): void {
    const chunks = this.chunks.get(cookie) ?? [];
    // The chunk is valid during the call only.
    chunks.push(new Uint8Array(chunk.slice(0)));
    this.chunks.set(cookie, chunks);
  }

  bodySize(cookie: number): number {
    return (this.chunks.get(cookie) ?? []).reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  bodyDrop(cookie: number): void {
    this.chunks.delete(cookie);
  }

  /** The body, which is forgotten here. */
  take(cookie: number): Uint8Array {
    const body = Buffer.concat(this.chunks.get(cookie) ?? []);
    this.chunks.delete(cookie);
    return body;
  }
}
