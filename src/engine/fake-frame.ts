/** Reads the frames of `InputFormat.tensors` for the fake engine, whose models take one float32 tensor. Pure. */

export interface FrameTensor {
  readonly name: string;
  /** Place among the row's tensors. */
  readonly index: number;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The samples' tensors, or undefined when it is no frame. Layout: native/codec/tensor_frame.h. */
export function readFrame(body: Uint8Array): readonly (readonly FrameTensor[])[] | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  try {
    return readRows(view, body);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a read outside of the body
    throw error;
  }
}

function readRows(view: DataView, body: Uint8Array): readonly (readonly FrameTensor[])[] | undefined {
  if (new TextDecoder("latin1").decode(body.subarray(0, 4)) !== "SCTF" || view.getUint32(4, true) !== 1) {
    return undefined;
  }
  const perRow = view.getUint32(12, true);
  let at = 24;
  let end = Number(view.getBigUint64(16, true));
  const rows = Array.from({ length: view.getUint32(8, true) }, () =>
    Array.from({ length: perRow }, (_, index): FrameTensor => {
      const rank = view.getUint32(at + 4, true);
      const nameAt = at + 24 + rank * 8;
      const nameEnd = nameAt + view.getUint32(at + 8, true);
      const start = Math.ceil(end / 64) * 64;
      end = start + Number(view.getBigUint64(at + 16, true));
      const tensor = {
        name: new TextDecoder().decode(body.subarray(nameAt, nameEnd)),
        index,
        dtype: view.getUint32(at, true),
        shape: Array.from({ length: rank }, (_size, i) => Number(view.getBigInt64(nameAt - (rank - i) * 8, true))),
        data: body.subarray(start, end),
      };
      at = Math.ceil(nameEnd / 8) * 8;
      return tensor;
    }),
  );
  return end === body.length ? rows : undefined;
}
