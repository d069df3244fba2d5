/** The Open Inference Protocol (KServe v2) of a real server process, over HTTP. */

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, Connection, jsonOf, requestBytes } from "./client.js";
import { models, repository, Server } from "./server.js";

let server: Server;
beforeAll(async () => {
  const files = ["moody", "dtypes"].map((name) => `${models}${name}.pt`);
  server = await Server.start([...files, `${repository}examples/digits/digits.mar`, "--max-request-size", "64KB"]);
});
afterAll(async () => {
  expect((await server.stop()).code, server.process.output).toBe(0);
});

const get = (path: string): Promise<Answer> => call(server.port, { path: `/v2${path}` });
const infer = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
  const bytes = Buffer.isBuffer(body) || typeof body === "string" ? body : JSON.stringify(body);
  return call(server.port, { path: `/v2/models/${path}/infer`, body: bytes, headers });
};
const x = (data: unknown, more: object = {}) => ({ name: "x", datatype: "FP32", shape: [2], data, ...more });

describe("health and metadata", () => {
  test("of the server", async () => {
    const about = jsonOf(await get("")) as { name: string; version: string; extensions: string[] };
    expect(about.name).toBe("sconce");
    expect(about.extensions).toEqual(["binary_tensor_data", "model_configuration", "model_repository"]);
    expect(jsonOf(await get("/health/live"))).toEqual({ live: true });
    expect(jsonOf(await get("/health/ready"))).toEqual({ ready: true });
  });

  test("of models: declared inputs, and outputs as warm-up saw them", async () => {
    expect(jsonOf(await get("/models/moody"))).toEqual({
      name: "moody",
      versions: ["1.0"],
      platform: "pytorch_torchscript",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "output_0", datatype: "FP32", shape: [-1, 2] }],
    });
    const { outputs } = jsonOf(await get("/models/digits/versions/1.0")) as { outputs: unknown };
    expect(outputs).toEqual([{ name: "logits", datatype: "FP32", shape: [-1, 10] }]);
    const dtypes = jsonOf(await get("/models/dtypes")) as { inputs: object[]; outputs: object[] };
    expect(dtypes.outputs).toEqual(dtypes.inputs);
    expect(dtypes.inputs).toContainEqual({ name: "bf16", datatype: "BF16", shape: [-1, 2] });
    expect(jsonOf(await get("/models/moody/ready"))).toEqual({ name: "moody", ready: true });
  });

  test("of what is not there", async () => {
    for (const path of ["/models/none", "/models/none/ready", "/models/moody/versions/9/ready", "/models/a..b"]) {
      const answer = await get(path);
      expect(answer.status, path).toBe(404);
      expect(Object.keys(jsonOf(answer) as object)).toEqual(["error"]);
    }
    expect((await get("/models")).status).toBe(404);
    expect((await get("/models/moody/infer")).headers.get("allow")).toBe("POST");
    expect((await call(server.port, { path: "/v2/models/moody", body: "{}" })).status).toBe(405);
  });
});

describe("JSON", () => {
  test("one sample and a batch, flat and nested; the id comes back", async () => {
    const one = await infer("moody", { id: "q-1", inputs: [x([1, 1])] });
    expect(one.headers.get("content-type")).toBe("application/json");
    expect(one.headers.get("x-sconce-model")).toBe("moody/1.0");
    expect(jsonOf(one)).toEqual({
      model_name: "moody",
      model_version: "1.0",
      id: "q-1",
      outputs: [{ name: "output_0", shape: [2], datatype: "FP32", data: [0, 0] }],
    });
    const flat = jsonOf(await infer("moody/versions/1.0", { inputs: [x([1, 1, 1, 1], { shape: [2, 2] })] }));
    const nested = { inputs: [x([[1, 1], [1, 1]], { shape: [2, 2] })] }; // prettier-ignore
    expect(jsonOf(await infer("moody", nested))).toEqual(flat);
    expect(flat).toMatchObject({ outputs: [{ shape: [2, 2], data: [0, 0, 0, 0] }] });
  });

  test("compressed, and in pieces", async () => {
    const body = JSON.stringify({ inputs: [x([1, 1])], ignored: { deep: [1] } });
    const packed = await infer("moody", gzipSync(body), { "content-encoding": "gzip" });
    expect(packed.status).toBe(200);
    const connection = await Connection.open(server.port);
    const bytes = requestBytes({ path: "/v2/models/moody/infer", body });
    await connection.send(bytes.subarray(0, bytes.length - 20));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await connection.send(bytes.subarray(bytes.length - 20));
    expect(jsonOf((await connection.next())!)).toEqual(jsonOf(packed));
    connection.destroy();
  });

  test("an image model takes tensors here, past its handler", async () => {
    const data = new Array<number>(64).fill(0);
    const inputs = [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data }];
    const answer = jsonOf(await infer("digits", { inputs, outputs: [{ name: "logits" }] }));
    expect(answer).toMatchObject({ outputs: [{ name: "logits", shape: [1, 10], datatype: "FP32" }] });
  });
});

/** The inputs of the model that answers what it got. */
const blobs: readonly (readonly [name: string, datatype: string, bytes: Uint8Array])[] = [
  ["b", "BOOL", Uint8Array.of(1, 0)],
  ["u8", "UINT8", Uint8Array.of(1, 255)],
  ["i8", "INT8", Uint8Array.of(1, 0xfe)],
  ["i16", "INT16", new Uint8Array(Int16Array.of(3, -4).buffer)],
  ["i32", "INT32", new Uint8Array(Int32Array.of(5, -6).buffer)],
  ["i64", "INT64", new Uint8Array(BigInt64Array.of(7n, -8n).buffer)],
  ["f16", "FP16", Uint8Array.of(0, 0x3c, 0, 0xc0)],
  ["bf16", "BF16", Uint8Array.of(0x80, 0x3f, 0, 0xc0)],
  ["f64", "FP64", new Uint8Array(Float64Array.of(0.1, -2).buffer)],
];
const head = (more: object): Buffer => {
  const inputs = blobs.map(([name, datatype, { length }]) => {
    return { name, datatype, shape: [1, 2], parameters: { binary_data_size: length } };
  });
  return Buffer.from(JSON.stringify({ inputs, ...more }));
};
const withBytes = (json: Buffer, cut = 0): Promise<Answer> => {
  const body = Buffer.concat([json, ...blobs.map(([, , bytes]) => bytes)]);
  const headers = { "inference-header-content-length": String(json.length) };
  return infer("dtypes", body.subarray(0, body.length - cut), headers);
};

describe("tensors as bytes", () => {
  test("every dtype comes back as it went, outputs in the order asked for", async () => {
    const outputs = [...blobs].reverse().map(([name]) => ({ name }));
    const answer = await withBytes(head({ parameters: { binary_data_output: true }, outputs }));
    const length = Number(answer.headers.get("inference-header-content-length"));
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    const told = JSON.parse(answer.body.toString("utf8", 0, length)) as { outputs: object[] };
    expect(told.outputs[0]).toEqual({
      name: "f64",
      shape: [1, 2],
      datatype: "FP64",
      parameters: { binary_data_size: 16 },
    });
    expect(answer.body.subarray(length)).toEqual(Buffer.concat([...blobs].reverse().map(([, , bytes]) => bytes)));
  });

  test("one output as bytes, another as JSON", async () => {
    const outputs = [{ name: "i64", parameters: { binary_data: true } }, { name: "b" }];
    const answer = await withBytes(head({ outputs }));
    const length = Number(answer.headers.get("inference-header-content-length"));
    const told = JSON.parse(answer.body.toString("utf8", 0, length)) as { outputs: { data?: unknown }[] };
    expect(told.outputs[1]?.data).toEqual([true, false]);
    expect(answer.body.length - length).toBe(16);
  });

  test("halves as JSON are read neither nor promised", async () => {
    const inputs = [{ name: "f16", datatype: "FP16", shape: [1, 2], data: [1, 2] }];
    const answer = await infer("dtypes", { inputs });
    expect(answer.status).toBe(400);
    expect(answer.body.toString()).toContain("FP16 has no form in JSON");
  });
});

test.each([
  ["no JSON", "moody", "nope", {}, 400, "expected an object"],
  ["no inputs", "moody", "{}", {}, 400, "missing or empty"],
  ["another name", "moody", { inputs: [x([1, 1], { name: "y" })] }, {}, 400, "(FP32 [2])"],
  ["another datatype", "moody", { inputs: [x([1, 1], { datatype: "INT64" })] }, {}, 400, "expected datatype FP32"],
  ["text", "moody", { inputs: [x(["a"], { datatype: "BYTES" })] }, {}, 400, "expected datatype FP32"],
  ["another shape", "moody", { inputs: [x([1, 1, 1], { shape: [3] })] }, {}, 400, "expected shape [2]"],
  ["too few numbers", "moody", { inputs: [x([1])] }, {}, 400, "x"],
  ["an unknown output", "moody", { inputs: [x([1, 1])], outputs: [{ name: "z" }] }, {}, 400, "no output"],
  ["a model that raises", "moody", { inputs: [x([200, 1])] }, {}, 500, "moody refuses numbers over 100"],
  ["an unknown model", "none", { inputs: [] }, {}, 404, "Model not found: none"],
  ["an unknown version", "moody/versions/9", { inputs: [] }, {}, 404, "version: 9"],
  ["a coding", "moody", "{}", { "content-encoding": "br" }, 415, "gzip"],
  ["a length of JSON that is none", "moody", "{}", { "inference-header-content-length": "x" }, 400, "1 to"],
  ["JSON longer than the body", "moody", "{}", { "inference-header-content-length": "3" }, 400, "the body has 2 bytes"],
  ["a large body", "moody", "x".repeat(65 * 1024), {}, 413, "--max-request-size"],
] as const)("%s is refused in words", async (_, path, body, headers, status, words) => {
  const answer = await infer(path, body, headers);
  expect(answer.status, answer.body.toString()).toBe(status);
  expect((jsonOf(answer) as { error: string }).error).toContain(words);
});

test("bytes that are missing are told, and the server goes on", async () => {
  const answer = await withBytes(head({}), 1);
  expect(answer.status).toBe(400);
  expect(answer.body.toString()).toContain("expected behind the JSON");
  expect((await infer("moody", { inputs: [x([1, 1])] })).status).toBe(200);
});

describe("what Triton's clients ask for beyond the protocol", () => {
  test("a model's configuration and its figures", async () => {
    const config = jsonOf(await get("/models/digits/config"));
    expect(config).toMatchObject({
      ...{ name: "digits", platform: "pytorch_torchscript", backend: "pytorch", max_batch_size: 64 },
      input: [{ name: "image", data_type: "TYPE_FP32" }],
      output: [{ name: "logits", data_type: "TYPE_FP32", dims: [10] }],
      instance_group: [{ kind: "KIND_CPU" }],
    });
    expect(jsonOf(await get("/models/digits/versions/1.0/config"))).toEqual(config);

    interface Figures {
      readonly model_stats: readonly {
        readonly name: string;
        readonly inference_count: number;
        readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
      }[];
    }
    const figures = async (path: string): Promise<Figures["model_stats"]> => {
      const answer = await get(path);
      expect(answer.status, answer.body.toString()).toBe(200);
      return (jsonOf(answer) as Figures).model_stats;
    };
    const [before] = await figures("/models/moody/stats");
    expect((await infer("moody", { inputs: [{ ...x([1, 2, 3, 4]), shape: [2, 2] }] })).status).toBe(200);
    expect((await infer("moody", { inputs: [x([1, 2])] })).status).toBe(200);
    const [after] = await figures("/models/moody/versions/1.0/stats");
    expect((after?.inference_count ?? 0) - (before?.inference_count ?? 0)).toBe(3);
    const { success, queue, compute_infer: run } = after?.inference_stats ?? {};
    expect((success?.count ?? 0) - (before?.inference_stats["success"]?.count ?? 0)).toBe(2);
    for (const each of [success, queue, run]) expect(each?.ns).toBeGreaterThan(0);
    expect((await figures("/models/stats")).map(({ name }) => name).sort()).toEqual(["digits", "dtypes", "moody"]);
  });

  test("the repository's index; loading and shared memory say where and why not", async () => {
    const post = (path: string): Promise<Answer> => call(server.port, { path: `/v2${path}`, body: "{}" });
    const index = jsonOf(await post("/repository/index"));
    const names = ["digits", "dtypes", "moody"];
    expect(index).toEqual(names.map((name) => ({ name, version: "1.0", state: "READY", reason: "" })));
    const load = await post("/repository/models/moody/load");
    expect([load.status, load.body.toString()]).toEqual([400, expect.stringContaining("management API")]);
    const region = await post("/systemsharedmemory/region/a/register");
    expect([region.status, region.body.toString()]).toEqual([501, expect.stringContaining("Shared memory")]);
    for (const path of ["/logging", "/trace/setting", "/models/moody/trace/setting"]) {
      const settings = await get(path);
      expect([settings.status, settings.body.toString()], path).toEqual([501, expect.stringContaining("--log-level")]);
    }
    const shared = { shared_memory_region: "a", shared_memory_byte_size: 8 };
    const outputs = [{ name: "output_0", parameters: shared }];
    for (const body of [{ inputs: [x(undefined, { parameters: shared })] }, { inputs: [x([1, 2])], outputs }]) {
      const refused = await infer("moody", body);
      expect([refused.status, refused.body.toString()]).toEqual([400, expect.stringContaining('"Shared memory')]);
    }
    for (const path of ["/models/none/config", "/models/none/stats", "/repository/none", "/repository/models/m/none"]) {
      expect((await get(path)).status, path).toBe(404);
    }
    expect((await get("/repository/index")).headers.get("allow")).toBe("POST");
  });
});

describe("KServe v1", () => {
  const predict = (name: string, body: unknown): Promise<Answer> =>
    call(server.port, { path: `/v1/models/${name}:predict`, body: JSON.stringify(body) });
  test("its client's questions: whether the server lives and the model is ready", async () => {
    const ask = (path: string, method = "GET"): Promise<Answer> => call(server.port, { path, method });
    expect(jsonOf(await ask("/"))).toEqual({ status: "alive" });
    expect((await ask("/", "POST")).status).toBe(405);
    expect(jsonOf(await ask("/v1/models/moody"))).toEqual({ name: "moody", ready: true });
    expect((await ask("/v1/models/none")).status).toBe(404);
  });

  const digit = (name: string): string => readFileSync(`${repository}examples/digits/${name}.png`).toString("base64");

  test("pictures as instances are answered one by one, as they are alone", async () => {
    const names = ["7", "3", "7"];
    const alone = await Promise.all(names.map((name) => predict("digits", { b64: digit(name) })));
    const instances = [digit("7"), { data: digit("3") }, { image_bytes: { b64: digit("7") } }];
    const answer = await predict("digits", { parameters: { k: 1 }, instances });
    expect(answer.status, answer.body.toString()).toBe(200);
    const { predictions } = jsonOf(answer) as { predictions: Readonly<Record<string, number>>[] };
    expect(predictions.map((each) => Object.keys(each)[0])).toEqual(["seven", "three", "seven"]);
    predictions.forEach((each, at) => {
      const wanted = jsonOf(alone[at]!) as Readonly<Record<string, number>>;
      for (const [label, value] of Object.entries(each)) expect(value).toBeCloseTo(wanted[label] ?? -1, 5);
    });
  });

  test("as many as maxInstances allows, more than may wait for the model or to be decoded", async () => {
    const b64 = digit("7");
    const one = jsonOf(await predict("digits", { b64 })) as object;
    const many = await predict("digits", { instances: Array.from({ length: 300 }, () => b64) });
    expect(many.status, many.body.toString().slice(0, 300)).toBe(200);
    const { predictions } = jsonOf(many) as { predictions: object[] };
    expect(predictions.length).toBe(300);
    for (const each of predictions) expect(Object.keys(each)[0]).toBe(Object.keys(one)[0]);
  });

  test("one that is none fails them all, by its place", async () => {
    const torn = Buffer.from(digit("7"), "base64").subarray(0, 80).toString("base64");
    const answer = await predict("digits", { instances: [digit("7"), torn] });
    expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringContaining("instance 1: ")]);
    expect((await predict("digits", { instances: [digit("7")] })).status).toBe(200);
  });

  test("numbers with what other servers take beside them", async () => {
    const body = { signature_name: "serving_default", instances: [[1, 2]], parameters: { top: 1 } };
    const answer = await predict("moody", body);
    expect([answer.status, Object.keys(jsonOf(answer) as object)]).toEqual([200, ["predictions"]]);
    const odd = await predict("moody", { instances: [[1, 2]], other: 1 });
    expect([odd.status, odd.body.toString()]).toEqual([400, expect.stringContaining("other")]);
  });
});
