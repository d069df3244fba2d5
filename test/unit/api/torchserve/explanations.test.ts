import { describe, expect, test } from "vitest";
import { readExplainSettings } from "../../../../src/api/torchserve/explanations.js";
import { ServerError } from "../../../../src/errors.js";
import type { HandlerSpec } from "../../../../src/types.js";

const tensors: HandlerSpec = { name: "base_handler", topK: 5 };
const pictures: HandlerSpec = {
  name: "image_classifier",
  topK: 5,
  image: { resize: 8, crop: 8, channels: 1, bgr: false, interpolation: "bilinear", mean: [], std: [], exif: false },
};

describe("settings", () => {
  test("defaults are Captum's, and TorchServe's steps for pictures", () => {
    expect(readExplainSettings("", tensors)).toEqual({
      method: "integrated_gradients",
      rule: "gausslegendre",
      steps: 50,
      target: [],
      baseline: 0,
      batch: 8,
      window: [0, 0],
      stride: [0, 0],
      detail: false,
    });
    expect(readExplainSettings("", pictures).steps).toBe(15);
    expect(readExplainSettings("steps=20", pictures).steps).toBe(20);
  });

  test("every parameter is read", () => {
    const integral = "rule=riemann_left&steps=1000&target=3,0,12&baseline=-1.5e-1&batch=64&detail=TRUE";
    expect(readExplainSettings(integral, tensors)).toEqual({
      method: "integrated_gradients",
      rule: "riemann_left",
      steps: 1000,
      target: [3, 0, 12],
      baseline: -0.15,
      batch: 64,
      window: [0, 0],
      stride: [0, 0],
      detail: true,
    });
    const covered = { method: "occlusion", window: [5, 7], stride: [3, 3], baseline: 1 };
    expect(readExplainSettings("window=5x7&stride=3&baseline=1&method=occlusion", tensors)).toMatchObject(covered);
    expect(readExplainSettings("target=predicted", tensors).target).toBe("predicted");
    expect(readExplainSettings("target=1&target=2", tensors).target).toEqual([2]);
  });
});

test.each([
  ["method=lime", /method must be one of integrated_gradients, saliency, occlusion/],
  ["rule=simpson", /rule must be one of/],
  ["steps=0", /steps must be a whole number from 1 to 1000, got "0"/],
  ["steps=1001", /steps/],
  ["steps=1e2", /steps/],
  ["steps=", /steps/],
  ["target=-1", /target/],
  ["target=1,", /target/],
  [`target=${"0,".repeat(16)}0`, /at most 16 indices/],
  ["baseline=NaN", /baseline must be a finite number/],
  ["baseline=", /baseline/],
  ["batch=65", /batch/],
  ["window=0", /window/],
  ["window=3x3x3", /window/],
  ["stride=ax3", /stride/],
  ["detail=yes", /detail must be one of true, false/],
  ["stepz=5", /no parameter "stepz". It takes: method, rule, steps/],
  ["__proto__=5", /no parameter/],
  ["window=5", /^window is for method=occlusion; the method here is integrated_gradients\.$/],
  ["stride=5&method=saliency", /stride is for method=occlusion/],
  ["steps=5&method=saliency", /steps is for method=integrated_gradients/],
  ["method=occlusion&rule=riemann_left", /rule is for/],
  ["method=saliency&baseline=1", /baseline is for method=integrated_gradients or occlusion/],
])("%s is refused by name", (query, words) => {
  expect(() => readExplainSettings(query, tensors)).toThrow(words);
  expect(() => readExplainSettings(query, tensors)).toThrow(ServerError);
});
