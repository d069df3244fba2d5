/** CMYK to RGB as PIL does it without a colour profile: (255 − K) − C·(255 − K)/255, rounded. */

/** Pixels between two pauses, so that a large picture does not keep its thread for itself (about 1 ms). */
const chunk = 1 << 17;

/** `cmyk`: interleaved, 0 is no ink. Thread: the caller's, which gets to do other work in between. */
export async function cmykToRgb(cmyk: Uint8Array): Promise<Uint8Array> {
  const pixels = cmyk.length / 4;
  const rgb = new Uint8Array(pixels * 3);
  for (let first = 0; first < pixels; first += chunk) {
    if (first > 0) await new Promise((resolve) => setImmediate(resolve));
    convert(cmyk, rgb, first, Math.min(first + chunk, pixels));
  }
  return rgb;
}

function convert(cmyk: Uint8Array, rgb: Uint8Array, first: number, end: number): void {
  for (let pixel = first; pixel < end; pixel++) {
    const light = 255 - (cmyk[pixel * 4 + 3] ?? 0);
    for (let channel = 0; channel < 3; channel++) {
      rgb[pixel * 3 + channel] = light - divide255((cmyk[pixel * 4 + channel] ?? 0) * light);
    }
  }
}

/** The nearest whole number to value/255, for values up to 255². */
function divide255(value: number): number {
  const sum = value + 128;
  return ((sum >> 8) + sum) >> 8;
}
