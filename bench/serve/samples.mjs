// Distinct, reproducible inputs for a scenario, and the files that wrk and the raw loop read.
import { writeFileSync } from "node:fs";

/** A small generator with a fixed seed (xorshift32), uniform in [-1, 1). */
function randomOf(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 31 - 1;
  };
}

export function makeSamples({ shape, samples }) {
  const random = randomOf(20_240_607);
  const size = shape.reduce((product, each) => product * each, 1);
  return Array.from({ length: samples }, () => Float32Array.from({ length: size }, random));
}

/** Shortest text that reads back as the same float32. */
function shortest(value) {
  for (let digits = 6; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

export function bodyOf(sample, format) {
  if (format === "raw") return Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength);
  return Buffer.from(`[${Array.from(sample, shortest).join(",")}]`);
}

/** The file that post.lua reads: each body after a line with its length. */
export function writeBodies(file, bodies) {
  writeFileSync(file, Buffer.concat(bodies.flatMap((body) => [Buffer.from(`${body.length}\n`), body])));
}

/** All samples one after the other as float32: what the raw loop reads. */
export function writeTensor(file, samples) {
  writeFileSync(file, Buffer.concat(samples.map((sample) => bodyOf(sample, "raw"))));
}
