/**
 * A picture of attributions, for people: red where an element speaks for the explained number, blue where it speaks
 * against it, white where it does not matter. Channels are summed. Pure but for the PNG's compression.
 */

import { ServerError } from "../errors.js";
import type { OutputTensor } from "./handler.js";
import { encodePng } from "./png.js";
import { readFloats } from "./tensor-read.js";

/** Small inputs are enlarged by a whole factor, to at least this many pixels on the longer side. */
const legible = 224;
/** Elements that one picture shows. */
const maxElements = 1 << 24;
/** Of the sum of all magnitudes, what the strongest elements may hold before colours stop growing with them. */
const outliers = 0.02;

interface Plane {
  readonly values: Float64Array;
  readonly width: number;
  readonly height: number;
}

/** Throws not_acceptable where there is no one picture: several samples or inputs, or more than three dimensions. */
export async function heatMap(attributions: readonly OutputTensor[]): Promise<Uint8Array> {
  const [tensor] = attributions;
  if (tensor === undefined || attributions.length > 1) {
    throw noPicture("it shows one input of one sample");
  }
  const plane = planeOf(tensor);
  const factor = Math.max(1, Math.ceil(legible / Math.max(plane.width, plane.height)));
  return encodePng(paint(plane, factor), plane.width * factor, plane.height * factor);
}

function noPicture(why: string): ServerError {
  return new ServerError("not_acceptable", `There is no heat map (image/png) of these attributions: ${why}.`);
}

/** [width], [height, width] or [channels, height, width]; channels are summed. */
function planeOf(tensor: OutputTensor): Plane {
  const { shape } = tensor;
  const [width = 0, height = 1, channels = 1, ...more] = [...shape].reverse();
  if (more.length > 0 || width * height * channels === 0) {
    throw noPicture(`[${shape.join(", ")}] is no picture; it must be one to three dimensions`);
  }
  if (width * height * channels > maxElements) throw noPicture(`they are more than ${maxElements} numbers`);
  const all = readFloats(tensor);
  const values = new Float64Array(width * height);
  for (let i = 0; i < all.length; i++) {
    const place = i % values.length;
    const value = all[i] ?? 0;
    if (Number.isFinite(value)) values[place] = (values[place] ?? 0) + value;
  }
  return { values, width, height };
}

/** The magnitude that gets the full colour: above it lie elements that together hold `outliers` of the sum. */
function fullColour(values: Float64Array): number {
  const magnitudes = values.map(Math.abs).sort();
  let left = magnitudes.reduce((sum, each) => sum + each, 0) * (1 - outliers);
  for (const magnitude of magnitudes) {
    left -= magnitude;
    if (left <= 0) return magnitude;
  }
  return 0;
}

function paint({ values, width, height }: Plane, factor: number): Uint8Array {
  const full = fullColour(values);
  const rgb = new Uint8Array(width * factor * height * factor * 3);
  let at = 0;
  for (let y = 0; y < height * factor; y++) {
    const row = Math.floor(y / factor) * width;
    for (let x = 0; x < width * factor; x++) {
      const value = full === 0 ? 0 : (values[row + Math.floor(x / factor)] ?? 0) / full;
      const pale = Math.round(255 * (1 - Math.min(1, Math.abs(value))));
      rgb[at++] = value < 0 ? pale : 255;
      rgb[at++] = pale;
      rgb[at++] = value > 0 ? pale : 255;
    }
  }
  return rgb;
}
