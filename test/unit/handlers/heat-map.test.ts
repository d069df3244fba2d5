import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { ServerError } from "../../../src/errors.js";
import type { OutputTensor } from "../../../src/handlers/handler.js";
import { heatMap } from "../../../src/handlers/heat-map.js";

function tensor(shape: readonly number[], values: readonly number[]): OutputTensor {
  return { dtype: "float32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

async function drawn(attributions: OutputTensor): Promise<(x: number, y: number) => number[]> {
  const { data, info } = await sharp(await heatMap([attributions]))
    .raw()
    .toBuffer({ resolveWithObject: true });
  return (x, y) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
}

describe("colours", () => {
  test("red speaks for, blue against, white not at all; small ones are enlarged", async () => {
    const at = await drawn(tensor([2, 2], [1, -1, 0, 0.5]));
    expect(at(0, 0)).toEqual([255, 0, 0]);
    expect(at(111, 111)).toEqual([255, 0, 0]);
    expect(at(112, 0)).toEqual([0, 0, 255]);
    expect(at(0, 112)).toEqual([255, 255, 255]);
    expect(at(223, 223)).toEqual([255, 128, 128]);
  });

  test("channels are summed, numbers that are none are left out", async () => {
    const at = await drawn(tensor([3, 1, 2], [1, NaN, -1, 2, 0, Infinity]));
    expect(at(0, 0)).toEqual([255, 255, 255]);
    expect(at(223, 0)).toEqual([255, 0, 0]);
  });

  test("one outlier does not make the rest invisible", async () => {
    const at = await drawn(tensor([224], [...Array<number>(223).fill(1), 3]));
    expect(at(0, 0)).toEqual([255, 0, 0]);
  });

  test("nothing but zeros is white", async () => {
    const at = await drawn(tensor([1], [0]));
    expect(at(5, 5)).toEqual([255, 255, 255]);
  });
});

const refused: readonly (readonly [why: string, attributions: readonly OutputTensor[]])[] = [
  ["several inputs or samples", [tensor([1], [1]), tensor([1], [1])]],
  ["none", []],
  ["four dimensions", [tensor([1, 1, 1, 1], [1])]],
  ["no elements", [tensor([0], [])]],
  ["too many", [{ dtype: "float32", shape: [1 << 25], data: new Uint8Array() }]],
];
test.each(refused)("%s: no picture", async (_, attributions) => {
  await expect(heatMap(attributions)).rejects.toThrow(ServerError);
  await expect(heatMap(attributions)).rejects.toThrow(/no heat map/);
});
