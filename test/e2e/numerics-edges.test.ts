/** The numbers at the edges of every dtype are the same over every protocol, to the last bit, alone and batched. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { models, Server } from "./server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start([`${models}dtypes.pt`]);
});
afterAll(async () => {
  expect((await server.stop()).code, server.process.output).toBe(0);
});

const bytes = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
const half = (...bits: readonly number[]): Buffer => bytes(Uint16Array.from(bits));

/** Of each input two elements, as bits and as the text that JSON has for them. */
type Edge = readonly [name: string, datatype: string, bits: Buffer, text: string];
const samples: readonly (readonly Edge[])[] = [
  [
    ["b", "BOOL", bytes(Uint8Array.of(1, 0)), "[true,false]"],
    ["u8", "UINT8", bytes(Uint8Array.of(0, 255)), "[0,255]"],
    ["i8", "INT8", bytes(Int8Array.of(-128, 127)), "[-128,127]"],
    ["i16", "INT16", bytes(Int16Array.of(-32768, 32767)), "[-32768,32767]"],
    ["i32", "INT32", bytes(Int32Array.of(-(2 ** 31), 2 ** 31 - 1)), "[-2147483648,2147483647]"],
    [
      "i64",
      "INT64",
      bytes(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
      "[-9223372036854775808,9223372036854775807]",
    ],
    ["f16", "FP16", half(0x7bff, 0x8001), "[65504.0,-5.9604645e-8]"], // the largest, the smallest
    ["bf16", "BF16", half(0x7f7f, 0x0001), "[3.3895314e38,9.1835e-41]"],
    ["f64", "FP64", bytes(Float64Array.of(Number.MAX_VALUE, -5e-324)), "[1.7976931348623157e308,-5e-324]"],
  ],
  [
    ["b", "BOOL", bytes(Uint8Array.of(0, 1)), "[false,true]"],
    ["u8", "UINT8", bytes(Uint8Array.of(7, 128)), "[7,128]"],
    ["i8", "INT8", bytes(Int8Array.of(-1, 0)), "[-1,0]"],
    ["i16", "INT16", bytes(Int16Array.of(-1, 0)), "[-1,0]"],
    ["i32", "INT32", bytes(Int32Array.of(-1, 0)), "[-1,0]"],
    [
      "i64",
      "INT64",
      bytes(BigInt64Array.of(2n ** 53n + 1n, -(2n ** 53n) - 1n)),
      "[9007199254740993,-9007199254740993]",
    ],
    ["f16", "FP16", half(0x7c00, 0x8000), '["Infinity",-0.0]'],
    ["bf16", "BF16", half(0xff80, 0x8000), '["-Infinity",-0.0]'],
    ["f64", "FP64", bytes(Float64Array.of(-0, 0.1 + 0.2)), "[-0.0,0.30000000000000004]"],
  ],
];

const rest = (path: string, body: string): Promise<Answer> =>
  call(server.port, { path, body, headers: { "content-type": "application/json" } });
const objectOf = (sample: readonly Edge[]): string => {
  return `{${sample.map(([name, , , text]) => `"${name}":${text}`).join()}}`;
};

/** KServe v2 with bytes in; out as bytes, or as JSON. */
async function infer(which: readonly (readonly Edge[])[], binary: boolean): Promise<{ head: string; blobs: Buffer }> {
  const blobs = samples[0]!.map((_, input) => Buffer.concat(which.map((sample) => sample[input]![2])));
  const inputs = samples[0]!.map(([name, datatype], input) => {
    const parameters = { binary_data_size: blobs[input]!.length };
    return { name, datatype, shape: [which.length, 2], parameters };
  });
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: binary } }));
  const headers = { "inference-header-content-length": String(json.length) };
  const body = Buffer.concat([json, ...blobs]);
  const answer = await call(server.port, { path: "/v2/models/dtypes/infer", headers, body });
  expect(answer.status, answer.body.toString()).toBe(200);
  const end = Number(answer.headers.get("inference-header-content-length") ?? answer.body.length);
  return { head: answer.body.toString("utf8", 0, end), blobs: answer.body.subarray(end) };
}

/** What the bits are as JSON, in the server's own text. */
async function textsOf(sample: readonly Edge[]): Promise<string> {
  const { head } = await infer([sample], false);
  const texts = [...head.matchAll(/"data":(\[[^\]]*\])/g)].map(([, text]) => text!);
  expect(texts.length).toBe(sample.length);
  return `{${sample.map(([name], index) => `"${name}":${texts[index]}`).join()}}`;
}

test.each([0, 1])("sample %#: bits, their text, and the text read again", async (index) => {
  const sample = samples[index]!;
  const expected = Buffer.concat(sample.map(([, , bits]) => bits));
  expect((await infer([sample], true)).blobs).toEqual(expected);
  const text = await textsOf(sample);
  // What stands in the table and what the server writes read as the same numbers, and none is rounded by the way.
  expect(JSON.parse(text)).toEqual(JSON.parse(objectOf(sample)));
  for (const [name, datatype, , exact] of sample) {
    if (!/^B?F/.test(datatype)) expect(text).toContain(`"${name}":${exact}`);
  }
  for (const path of ["/predictions/dtypes", "/invocations", "/models/dtypes/invoke"]) {
    expect((await rest(path, objectOf(sample))).body.toString(), path).toBe(text);
    expect((await rest(path, text)).body.toString(), path).toBe(text);
  }
});

test("as instances, and as a batch of bytes", async () => {
  const texts = await Promise.all(samples.map(textsOf));
  const answer = await rest("/v1/models/dtypes:predict", `{"instances":[${samples.map(objectOf).join()}]}`);
  expect(answer.body.toString()).toBe(`{"predictions":[${texts.join()}]}`);
  const { blobs } = await infer(samples, true);
  expect(blobs).toEqual(Buffer.concat(samples[0]!.flatMap((_, input) => samples.map((sample) => sample[input]![2]))));
});

test("many at once, batched as they come", async () => {
  const texts = await Promise.all(samples.map(textsOf));
  const chosen = Array.from({ length: 48 }, (_, i) => ((i * 5) % 3) % 2);
  const answers = await Promise.all(chosen.map((index) => rest("/predictions/dtypes", objectOf(samples[index]!))));
  answers.forEach((answer, i) => expect(answer.body.toString()).toBe(texts[chosen[i]!]));
});

test.each([
  ["u8", "[256,0]", "out of the range of uint8"],
  ["i8", "[-129,0]", "out of the range of int8"],
  ["i64", "[9223372036854775808,0]", "out of the range of int64"],
  ["i32", "[0.5,0]", "not a whole number"],
  ["f16", "[65520,0]", "out of the range of float16"],
  ["bf16", "[3.4e38,0]", "out of the range of bfloat16"],
  ["f64", "[1e309,0]", "out of the range of float64"],
] as const)("%s: %s is refused, not bent", async (name, text, words) => {
  const sample = samples[0]!.map((edge): Edge => (edge[0] === name ? [edge[0], edge[1], edge[2], text] : edge));
  const answer = await rest("/predictions/dtypes", objectOf(sample));
  expect(answer.status).toBe(400);
  expect((jsonOf(answer) as { message: string }).message).toContain(words);
});
