/** `deviceType` and `deviceIds` of model-config.yaml. Pure; whether such GPUs are there is src/models/placement.ts's. */
import { readerOf, topKeys } from "./model-keys.js";
import type { Section } from "./yaml-section.js";

export interface DeviceConfig {
  readonly deviceType?: "cpu" | "gpu";
  readonly deviceIds?: readonly number[];
}

const maxDevices = 1024;

export function deviceOf(top: Section): DeviceConfig {
  const deviceType = readerOf(top, topKeys)("deviceType");
  const deviceIds = top.numbers("deviceIds");
  const type = deviceType === undefined ? {} : { deviceType };
  if (deviceIds === undefined) return type;
  if (deviceIds.length === 0 || deviceIds.length > maxDevices) {
    throw top.fail("deviceIds", `must list 1 to ${maxDevices} GPUs; leave the key out for every one`);
  }
  const bad = deviceIds.find((id) => !Number.isInteger(id) || id < 0 || id >= maxDevices);
  if (bad !== undefined) {
    throw top.fail(
      "deviceIds",
      `must be whole numbers from 0 on, as CUDA numbers the GPUs of this process; got ${bad}`,
    );
  }
  const twice = deviceIds.find((id, index) => deviceIds.indexOf(id) !== index);
  if (twice !== undefined) throw top.fail("deviceIds", `names GPU ${twice} twice`);
  if (deviceType === "cpu") throw top.fail("deviceIds", "names GPUs, and deviceType is cpu; leave one of the two out");
  return { ...type, deviceIds };
}
