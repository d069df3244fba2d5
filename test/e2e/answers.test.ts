/** Models that answer more than tensors: None, numbers, text and lists with an entry per sample, over every protocol. */
import { spawnSync } from "node:child_process";
import { loadPackageDefinition, credentials, type Client, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { torchPython } from "./python.js";
import { models, repository, Server } from "./server.js";

const names = ["answers", "heads", "found", "wordy"];
/** Exact in float32, and so is what the models make of them. */
const samples = [
  [1, 2, 3, -4],
  [-1, -2, 0.5, 0.25],
  [8, 0, -1, -2],
  [-1, -1, -1, -1],
];

let server: Server;
beforeAll(async () => {
  server = await Server.start([...names.map((name) => `${models}${name}.pt`), "--grpc-inference-port", "0"]);
});
afterAll(async () => {
  expect((await server.stop()).code, server.process.output).toBe(0);
});

const json = { "content-type": "application/json" };
const predict = (name: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  call(server.port, { path: `/predictions/${name}`, body: JSON.stringify(body), headers: { ...json, ...headers } });
const inputs = (rows: readonly (readonly number[])[]): object[] => [
  { name: "x", datatype: "FP32", shape: [rows.length, 4], data: rows.flat() },
];
const infer = async (name: string, body: object): Promise<unknown> =>
  jsonOf(await call(server.port, { path: `/v2/models/${name}/infer`, body: JSON.stringify(body) }));

describe.skipIf(torchPython === undefined)("as PyTorch answers for the same file", () => {
  test.each(names)("%s: alone, many at once, and as instances", async (name) => {
    const words = [`${import.meta.dirname}/answers.py`, `${models}${name}.pt`, JSON.stringify(samples)];
    const expected = JSON.parse(spawnSync(torchPython!, words, { encoding: "utf8" }).stdout) as unknown[];
    for (const [i, sample] of samples.entries()) expect(jsonOf(await predict(name, sample))).toEqual(expected[i]);
    const many = Array.from({ length: 48 }, (_, i) => i % samples.length);
    const answers = await Promise.all(many.map((i) => predict(name, samples[i])));
    answers.forEach((answer, i) => expect(jsonOf(answer)).toEqual(expected[many[i]!]));
    const alike = name === "answers" ? [samples[0], samples[2]] : samples; // what is None for one is a number for another
    const several = alike.map((sample) => expected[samples.indexOf(sample!)]);
    expect(jsonOf(await predict(name, { instances: alike }))).toEqual({ predictions: several });
  });
});

test("what cannot be split runs alone, and describe says why", async () => {
  const reasons = new Map<string, string>();
  for (const name of names) {
    const [described] = jsonOf(await call(server.managementPort, { path: `/models/${name}` })) as [
      { sconce: { batchReason: string } },
    ];
    reasons.set(name, described.sconce.batchReason);
  }
  expect(reasons.get("heads")).toMatch(/^a batch of 64 distinct samples equals the single runs/);
  expect(reasons.get("answers")).toMatch(/^1: the model returns numbers or text, which belong to a whole batch/);
  expect(reasons.get("wordy")).toMatch(/^1: the model returns numbers or text/);
  expect(reasons.get("found")).toMatch(/^1: the model returns a list of dicts with an entry per sample/);
});

test("instances whose answers differ in structure are refused with the reason", async () => {
  const answer = await predict("answers", { instances: samples });
  expect(answer.status).toBe(500);
  expect(answer.body.toString()).toMatch(/differ in structure .*send them one by one/);
});

test("text has no form but JSON", async () => {
  const answer = await predict("wordy", samples[0], { accept: "application/octet-stream" });
  expect(answer.status).toBe(406);
  expect(answer.body.toString()).toMatch(/is text, which only application\/json can hold/);
});

describe("KServe v2", () => {
  const output = (name: string, datatype: string, shape: readonly number[], data: readonly unknown[]): object => ({
    name,
    datatype,
    shape,
    data,
  });

  test("None is left out; numbers and text are tensors", async () => {
    expect(await infer("answers", { inputs: inputs([samples[0]!]) })).toMatchObject({
      outputs: [
        output("twice", "FP32", [1, 4], [2, 4, 6, -8]),
        output("rows", "INT64", [1], [1]),
        output("mean", "FP64", [1], [0.5]),
        output("high", "BOOL", [1], [true]),
        output("word", "BYTES", [1], ['high é"']),
        output("sizes.0", "INT64", [1], [1]),
        output("sizes.1", "INT64", [1], [4]),
        output("nested.sum.0", "FP32", [1], [2]),
        output("nested.sum.1", "FP64", [1], [0.5]),
      ],
    });
    const two = await infer("answers", { inputs: inputs([samples[0]!, samples[2]!]), outputs: [{ name: "word" }, { name: "mean" }] }); // prettier-ignore
    expect(two).toMatchObject({
      outputs: [output("word", "BYTES", [2], ['high é"', 'high é"']), output("mean", "FP64", [2], [0.5, 1.25])],
    });
    expect(await infer("heads", { inputs: inputs([samples[0]!]) })).toMatchObject({ outputs: [{ name: "logits" }] });
    const unknown = { inputs: inputs([samples[0]!]), outputs: [{ name: "aux1" }] };
    expect(await infer("heads", unknown)).toEqual({ error: 'there is no output "aux1"; the model has logits' });
  });

  test("metadata names what warm-up saw", async () => {
    const { outputs } = jsonOf(await call(server.port, { path: "/v2/models/answers" })) as { outputs: object[] };
    expect(outputs).toContainEqual({ name: "rows", datatype: "INT64", shape: [-1] });
    expect(outputs).toContainEqual({ name: "word", datatype: "BYTES", shape: [-1] });
    expect(outputs.map((each) => (each as { name: string }).name)).not.toContain("none");
  });

  test("over gRPC text is bytes behind their length", async () => {
    const definition = loadPackageDefinition(
      loadSync(`${repository}proto/open_inference.proto`, { keepCase: true, longs: Number }),
    );
    const Service = (definition["inference"] as unknown as Record<string, ServiceClientConstructor>)["GRPCInferenceService"]!; // prettier-ignore
    const client = new Service(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    const request = {
      model_name: "answers",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], contents: { fp32_contents: samples[0] } }],
      outputs: [{ name: "word" }, { name: "high" }],
    };
    type Infer = (request: object, done: (error: Error | null, answer: object) => void) => void;
    const answer = await new Promise((resolve, reject) => {
      const send = (client as unknown as Client & { ModelInfer: Infer }).ModelInfer.bind(client);
      send(request, (error, got) => (error ? reject(error) : resolve(got)));
    });
    client.close();
    const text = Buffer.from('high é"');
    expect(answer).toMatchObject({
      outputs: [
        { name: "word", datatype: "BYTES", shape: [1] },
        { name: "high", datatype: "BOOL", shape: [1] },
      ],
      raw_output_contents: [Buffer.concat([Buffer.of(text.length, 0, 0, 0), text]), Buffer.of(1)],
    });
  });
});
