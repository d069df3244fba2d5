import { expect, test } from "vitest";
import { deviceOf } from "../../../src/archive/device-config.js";
import { parseYaml } from "../../../src/archive/yaml-section.js";

const read = (text: string): unknown => deviceOf(parseYaml("m.yaml", text));

test("type and ids, each only where it is given", () => {
  expect(read("batchSize: 1")).toEqual({});
  expect(read("deviceType: cpu")).toEqual({ deviceType: "cpu" });
  expect(read("deviceIds: [3]")).toEqual({ deviceIds: [3] });
  expect(read("deviceType: gpu\ndeviceIds: [0, 1]")).toEqual({ deviceType: "gpu", deviceIds: [0, 1] });
});

test("a number beyond every machine is refused before GPUs are counted", () => {
  expect(() => read("deviceIds: [1024]")).toThrow("m.yaml:1: deviceIds must be whole numbers from 0 on");
});
