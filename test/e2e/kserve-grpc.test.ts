/** The Open Inference Protocol (KServe v2) of a real server process, over gRPC. */

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test } from "vitest";
import { models, repository, Server } from "./server.js";

type Fields = Readonly<Record<string, unknown>>;
type Client = grpc.Client & Record<string, (request: object, done: (error: unknown, answer: unknown) => void) => void>;

const definitions = ["open_inference", "torchserve_open_inference"].map((name) =>
  grpc.loadPackageDefinition(loadSync(`${repository}proto/${name}.proto`, { keepCase: true, longs: Number })),
);
const services = ["inference", "org.pytorch.serve.grpc.openinference"].map((path, index) => {
  const found = path.split(".").reduce((at: unknown, step) => (at as Fields)[step], definitions[index]);
  return (found as Fields)["GRPCInferenceService"] as grpc.ServiceClientConstructor;
});

let server: Server;
let clients: Client[];
beforeAll(async () => {
  const files = ["moody", "dtypes"].map((name) => `${models}${name}.pt`);
  server = await Server.start([...files, "--grpc-inference-port", "0"]);
  clients = services.map(
    (Service) => new Service(`127.0.0.1:${server.grpcPort}`, grpc.credentials.createInsecure()) as unknown as Client,
  );
});
afterAll(async () => {
  for (const client of clients) client.close();
  expect((await server.stop()).code, server.process.output).toBe(0);
});

/** The answer, or the status' words. */
function call(method: string, request: object = {}, which = 0): Promise<Fields> {
  return new Promise((resolve) => {
    clients[which]?.[method]?.(request, (error, answer) => resolve((error ?? answer) as Fields));
  });
}

const x = { name: "x", datatype: "FP32", shape: [1, 2] };
const floats = (...all: number[]): Buffer => Buffer.from(Float32Array.from(all).buffer);

test.each([0, 1])("health and metadata, under both names", async (which) => {
  expect(await call("ServerLive", {}, which)).toEqual({ live: true });
  expect(await call("ServerReady", {}, which)).toEqual({ ready: true });
  expect(await call("ServerMetadata", {}, which)).toMatchObject({ name: "sconce" });
  expect(await call("ModelReady", { name: "moody" }, which)).toEqual({ ready: true });
  expect(await call("ModelMetadata", { name: "moody", version: "1.0" }, which)).toEqual({
    name: "moody",
    versions: ["1.0"],
    platform: "pytorch_torchscript",
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
    outputs: [{ name: "output_0", datatype: "FP32", shape: [-1, 2] }],
  });
  expect(await call("ModelReady", { name: "none" }, which)).toMatchObject({ code: grpc.status.NOT_FOUND });
  expect(await call("ModelMetadata", {}, which)).toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
});

test("typed contents and raw ones are answered alike, with the id", async () => {
  const raw = { model_name: "moody", id: "q", inputs: [x], raw_input_contents: [floats(1, 1)] };
  const typed = { model_name: "moody", id: "q", inputs: [{ ...x, contents: { fp32_contents: [1, 1] } }] };
  const expected = {
    model_name: "moody",
    model_version: "1.0",
    id: "q",
    outputs: [{ name: "output_0", datatype: "FP32", shape: [1, 2] }],
    raw_output_contents: [floats(0, 0)],
  };
  expect(await call("ModelInfer", raw)).toMatchObject(expected);
  expect(await call("ModelInfer", typed, 1)).toMatchObject(expected);
});

test("many inputs, and the outputs in the order asked for", async () => {
  const tensor = (name: string, datatype: string, contents: object) => ({ name, datatype, shape: [2], contents });
  const halves = [Buffer.of(0, 0x3c, 0, 0xc0), Buffer.of(0x80, 0x3f, 0, 0xc0)];
  const inputs = [
    tensor("b", "BOOL", { bool_contents: [true, false] }),
    tensor("u8", "UINT8", { uint_contents: [1, 255] }),
    tensor("i8", "INT8", { int_contents: [1, -1] }),
    tensor("i16", "INT16", { int_contents: [1, -1] }),
    tensor("i32", "INT32", { int_contents: [1, -1] }),
    tensor("i64", "INT64", { int64_contents: [1, -1] }),
    tensor("f64", "FP64", { fp64_contents: [0.1, -1] }),
  ];
  const refused = [...inputs, tensor("f16", "FP16", {}), tensor("bf16", "BF16", {})];
  expect(await call("ModelInfer", { model_name: "dtypes", inputs: refused })).toMatchObject({
    code: grpc.status.INVALID_ARGUMENT,
    details: expect.stringContaining('"FP16" has no form in contents') as string,
  });
  const raw = [
    Buffer.of(1, 0),
    Buffer.of(1, 255),
    Buffer.of(1, 255),
    Buffer.from(Int16Array.of(1, -1).buffer),
    Buffer.from(Int32Array.of(1, -1).buffer),
    Buffer.from(BigInt64Array.of(1n, -1n).buffer),
    Buffer.from(Float64Array.of(0.1, -1).buffer),
    ...halves,
  ];
  const bare = refused.map(({ contents: _, ...each }) => each);
  const outputs = [{ name: "bf16" }, { name: "i64" }];
  const answer = await call("ModelInfer", { model_name: "dtypes", inputs: bare, outputs, raw_input_contents: raw });
  expect(answer["raw_output_contents"]).toEqual([halves[1], raw[5]]);
});

test("what is wrong with a message is not called malformed JSON", async () => {
  const answer = await call("ModelInfer", { model_name: "moody", inputs: [{ ...x, shape: [-1, 2] }] });
  expect([answer["code"], answer["details"]]).toEqual([
    grpc.status.INVALID_ARGUMENT,
    'Input "x": its shape has -1; send the sizes that the tensor has.',
  ]);
});

test.each([
  ["an unknown model", { model_name: "none" }, grpc.status.NOT_FOUND, "Model not found: none"],
  ["an unknown version", { model_name: "moody", model_version: "9" }, grpc.status.NOT_FOUND, "9"],
  ["no input", { model_name: "moody" }, grpc.status.INVALID_ARGUMENT, "missing or empty"],
  [
    "too few bytes",
    { model_name: "moody", inputs: [x], raw_input_contents: [floats(1)] },
    grpc.status.INVALID_ARGUMENT,
    "takes 8 bytes, its contents have 4",
  ],
  [
    "a model that raises",
    { model_name: "moody", inputs: [x], raw_input_contents: [floats(200, 1)] },
    grpc.status.INTERNAL,
    "moody refuses",
  ],
])("%s is refused in words", async (_, request, code, words) => {
  const answer = await call("ModelInfer", request);
  expect(answer, JSON.stringify(answer)).toMatchObject({ code });
  expect(answer["details"]).toContain(words);
});

test("Triton's extensions: configuration, figures, index", async () => {
  expect(await call("ModelConfig", { name: "moody" })).toMatchObject({
    config: {
      ...{ name: "moody", platform: "pytorch_torchscript", backend: "pytorch" },
      input: [{ name: "x", data_type: 11, dims: [2] }],
      output: [{ name: "output_0", data_type: 11, dims: [2] }],
      instance_group: [{ kind: 2 }],
    },
  });
  const figures = (await call("ModelStatistics", { name: "moody" })) as {
    model_stats: { version: string; inference_count: number; inference_stats: Fields }[];
  };
  expect(figures.model_stats).toMatchObject([{ version: "1.0", inference_stats: { fail: {}, queue: {} } }]);
  expect(((await call("ModelStatistics")) as typeof figures).model_stats).toHaveLength(2);
  const models = ["dtypes", "moody"].map((name) => ({ name, version: "1.0", state: "READY", reason: "" }));
  expect(await call("RepositoryIndex", { ready: true })).toEqual({ models });
  for (const method of ["ModelConfig", "ModelStatistics"]) {
    expect(await call(method, { name: "none" })).toMatchObject({ code: grpc.status.NOT_FOUND });
  }
});

test("a stream of inferences: answers in order, an error is the answer of its request", async () => {
  const client = clients[0] as unknown as { ModelStreamInfer: () => grpc.ClientDuplexStream<object, Fields> };
  const stream = client.ModelStreamInfer();
  const answers: Fields[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    stream.on("data", (answer: Fields) => answers.push(answer));
    stream.on("end", resolve);
    stream.on("error", reject);
  });
  const ask = (id: string, model_name: string): void => {
    stream.write({ model_name, id, inputs: [x], raw_input_contents: [floats(1, 1)] });
  };
  ["a", "b"].forEach((id) => ask(id, "moody"));
  ask("c", "none");
  ask("d", "moody");
  stream.write({
    model_name: "moody",
    id: "e",
    inputs: [{ ...x, shape: [1, 3] }],
    raw_input_contents: [floats(1, 1, 1)],
  });
  stream.end();
  await ended;
  const told = answers.map(({ error_message: error, infer_response: answer }) => [
    (answer as Fields)["id"],
    error === "" ? ((answer as Fields)["raw_output_contents"] as Buffer[]).length : error,
  ]);
  expect(told).toEqual([
    ["a", 1],
    ["b", 1],
    ["c", expect.stringContaining("none")],
    ["d", 1],
    ["e", expect.stringContaining("[1, 3]")],
  ]);
});
