import { expect, test } from "vitest";
import { cmykToRgb } from "../../../src/handlers/cmyk.js";

test("ink becomes light as PIL computes it", async () => {
  const inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 10, 20, 30, 40, 0, 0, 0, 255];
  // PIL: Image.fromarray(…, "CMYK").convert("RGB")
  const light = [255, 255, 255, 0, 255, 255, 255, 0, 0, 207, 198, 190, 0, 0, 0];
  expect(Array.from(await cmykToRgb(Uint8Array.from(inks)))).toEqual(light);
});

test("a large picture lets others run in between", async () => {
  const state = { others: 0 };
  const tick = (): void => {
    state.others += 1;
    if (state.others < 100) setImmediate(tick);
  };
  tick();
  const rgb = await cmykToRgb(new Uint8Array(4 * 1_000_000));
  expect(rgb.every((value) => value === 255)).toBe(true);
  expect(state.others).toBeGreaterThan(3);
});
