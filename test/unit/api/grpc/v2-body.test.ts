import { expect, test } from "vitest";
import { bodyOf, responseOf } from "../../../../src/api/grpc/v2-body.js";
import type { Contents, InferRequest, InputTensor } from "../../../../src/api/grpc/v2-messages.js";

const none: Contents = {
  bool_contents: [],
  int_contents: [],
  int64_contents: [],
  uint_contents: [],
  fp32_contents: [],
  fp64_contents: [],
};
const long = (low: number, high = 0): { low: number; high: number } => ({ low, high });
const input = (datatype: string, contents: Partial<Contents> = {}): InputTensor => {
  return { name: "x", datatype, shape: [long(2)], parameters: {}, contents: { ...none, ...contents } };
};
const request = (more: Partial<InferRequest>): InferRequest => {
  const empty = { id: "", inputs: [], outputs: [], raw_input_contents: [] };
  return { model_name: "m", model_version: "", ...empty, ...more };
};

test("raw contents follow JSON that says their sizes", () => {
  const { jsonBytes, bytes } = bodyOf(
    request({
      id: "q",
      inputs: [{ ...input("FP16"), contents: null }],
      outputs: [{ name: "y", parameters: { binary_data: {} } }],
      raw_input_contents: [Uint8Array.of(1, 2, 3, 4)],
    }),
  );
  expect(JSON.parse(Buffer.from(bytes.subarray(0, jsonBytes)).toString())).toEqual({
    id: "q",
    parameters: { binary_data_output: true },
    inputs: [{ name: "x", datatype: "FP16", shape: [2], parameters: { binary_data_size: 4 } }],
    outputs: [{ name: "y" }],
  });
  expect([...bytes.subarray(jsonBytes)]).toEqual([1, 2, 3, 4]);
});

test.each([
  ["BOOL", { bool_contents: [true, false] }, [1, 0]],
  ["UINT8", { uint_contents: [1, 255] }, [1, 255]],
  ["INT8", { int_contents: [1, -1] }, [1, 255]],
  ["INT16", { int_contents: [1, -2] }, [1, 0, 254, 255]],
  ["INT32", { int_contents: [-2] }, [254, 255, 255, 255]],
  ["INT64", { int64_contents: [long(7), long(-2, -1)] }, [7, 0, 0, 0, 0, 0, 0, 0, 254, ...Array<number>(7).fill(255)]],
  ["FP32", { fp32_contents: [1] }, [0, 0, 128, 63]],
  ["FP64", { fp64_contents: [1] }, [0, 0, 0, 0, 0, 0, 240, 63]],
] as const)("%s contents as bytes", (datatype, contents, expected) => {
  const { jsonBytes, bytes } = bodyOf(request({ inputs: [input(datatype, contents)] }));
  expect([...bytes.subarray(jsonBytes)]).toEqual(expected);
});

test("what has no form, does not fit or does not match is refused", () => {
  const refused = (more: Partial<InferRequest>): (() => unknown) => {
    return () => bodyOf(request(more));
  };
  expect(refused({ inputs: [input("BYTES")] })).toThrow("no form in contents");
  expect(refused({ inputs: [input("UINT8", { uint_contents: [256] })] })).toThrow("element 0 is 256");
  expect(refused({ inputs: [input("INT8", { int_contents: [1, -129] })] })).toThrow("element 1 is -129");
  const unsized = { ...input("FP32", { fp32_contents: [1] }), shape: [long(-1, -1)] };
  expect(refused({ inputs: [unsized] })).toThrow('Input "x": its shape has -1');
  const asking = (name: string) => ({ name: "y", parameters: { [name]: {} } });
  expect(refused({ outputs: [asking("classification")] })).toThrow('"classification" is not supported');
  expect(refused({ outputs: [asking("shared_memory_region")] })).toThrow("Shared memory is not supported");
  const shared = { ...input("FP32"), ...asking("shared_memory_region") };
  expect(refused({ inputs: [shared] })).toThrow("Shared memory is not supported");
  expect(refused({ inputs: [], raw_input_contents: [new Uint8Array()] })).toThrow("1 entries for 0 inputs");
});

test("an answer is taken apart", () => {
  const told = {
    model_name: "m",
    model_version: "1",
    outputs: [
      { name: "a", shape: [1], datatype: "INT8", parameters: { binary_data_size: 1 } },
      { name: "b", shape: [2], datatype: "UINT8", parameters: { binary_data_size: 2 } },
    ],
  };
  const json = Buffer.from(JSON.stringify(told));
  const packed = Buffer.concat([Buffer.of(0, 0, 0, 0, json.length, 0, 0, 0), json, Buffer.of(7, 8, 9)]);
  const { raw_output_contents: raw, ...rest } = responseOf(packed);
  expect(raw.map((each) => [...each])).toEqual([[7], [8, 9]]);
  expect(rest).toEqual({
    model_name: "m",
    model_version: "1",
    id: "",
    outputs: [
      { name: "a", shape: [1], datatype: "INT8" },
      { name: "b", shape: [2], datatype: "UINT8" },
    ],
  });
});
