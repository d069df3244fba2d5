/** How JSON and tensors' bytes stand together in an answer of the Open Inference Protocol. Pure. */

/** As in native/codec/codec.h: what stands before an answer with bytes in it. */
const prefixBytes = 8;
const lengthAt = 4;

export interface Answer {
  /** Undefined: the body is JSON alone. */
  readonly jsonBytes: number | undefined;
  readonly body: string | Uint8Array;
}

/** The engine's answer: JSON, or after a prefix that begins with a zero byte, JSON and bytes. */
export function readAnswer(packed: string | ArrayBuffer | Uint8Array): Answer {
  if (typeof packed === "string") return { jsonBytes: undefined, body: packed };
  const bytes = packed instanceof Uint8Array ? packed : new Uint8Array(packed);
  if (bytes[0] !== 0) return { jsonBytes: undefined, body: bytes };
  const jsonBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(lengthAt, true);
  return { jsonBytes, body: bytes.subarray(prefixBytes) };
}
