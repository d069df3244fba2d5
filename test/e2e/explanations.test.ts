/** /explanations of real models in a real process: Captum's numbers, TorchServe's forms, and what is refused. */
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call } from "./client.js";
import { declareModels, readGoldens, type Tensor } from "./goldens.js";
import { repository, Server } from "./server.js";

interface Explained {
  readonly options: Readonly<Record<string, string | number>>;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly target: readonly number[];
  readonly score: number;
  readonly delta: number;
  readonly attributions: Readonly<Record<string, Tensor>>;
}
interface Detailed {
  readonly attributions: unknown;
  readonly target: readonly number[];
  readonly score: number;
  readonly delta: number;
}

const names = ["mlp", "convnet", "swapped", "encoder"];
const read = (name: string): readonly Explained[] =>
  (JSON.parse(readFileSync(`${repository}test/fixtures/explanations/${name}.json`, "utf8")) as { cases: Explained[] })
    .cases;

let server: Server;
beforeAll(async () => {
  const served = readGoldens().filter(({ name }) => [...names, "integers"].includes(name));
  server = await Server.start([...declareModels(served), `${repository}examples/digits/digits.mar`], {
    readyWithinMs: 120_000,
  });
}, 120_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

function nest(data: readonly unknown[], shape: readonly number[]): unknown {
  const [first, ...rest] = shape;
  if (first === undefined) return data[0];
  const step = data.length / first;
  return Array.from({ length: first }, (_, i) => nest(data.slice(i * step, (i + 1) * step), rest));
}
const plain = ({ data, shape }: Tensor): unknown => nest(data, shape);
const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.flatMap(numbers) : [Number(value)]);

function bodyOf(inputs: Explained["inputs"]): unknown {
  const all = Object.entries(inputs).map(([name, tensor]) => [name, plain(tensor)] as const);
  return all.length === 1 ? all[0]?.[1] : Object.fromEntries(all);
}
function queryOf(options: Explained["options"]): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}
function ask(path: string, body: unknown, query: Explained["options"] = {}): Promise<Answer> {
  const words = queryOf(query);
  return call(server.port, { path: `/explanations/${path}?${words}`, body: JSON.stringify(body) });
}
const json = (answer: Answer): unknown => JSON.parse(answer.body.toString("utf8"));

/** Relative to the largest number. */
function expectClose(got: unknown, expected: Tensor): void {
  const want = expected.data.map(Number);
  const largest = Math.max(...want.map(Math.abs));
  const values = numbers(got);
  expect(values.length).toBe(want.length);
  expect(Math.max(...values.map((value, i) => Math.abs(value - (want[i] ?? NaN)))) / largest).toBeLessThan(1e-4);
}

describe.each(names)("%s", (name) => {
  test.each(read(name).map((one) => [JSON.stringify(one.options), one] as const))("%s is Captum's", async (_, one) => {
    const answer = await ask(name, bodyOf(one.inputs), { ...one.options, detail: "true" });
    expect(answer.status, answer.body.toString("utf8").slice(0, 300)).toBe(200);
    const { attributions, target, score, delta } = json(answer) as Detailed;
    const several = Object.keys(one.attributions).length > 1;
    for (const [input, tensor] of Object.entries(one.attributions)) {
      expectClose(several ? (attributions as Record<string, unknown>)[input] : attributions, tensor);
    }
    expect(target).toEqual(one.target);
    expect(score).toBeCloseTo(one.score, 4);
    expect(delta).toBeCloseTo(one.delta, 4);
  });
});

test("the plain form is TorchServe's: shaped like the input; a version may be named; instances come as explanations", async () => {
  const [one] = read("mlp");
  const input = bodyOf(one!.inputs);
  const bare = json(await ask("mlp/1.0", input));
  expect(numbers(bare).length).toBe(16);
  const both = json(await ask("mlp", { instances: [input, input] })) as { explanations: unknown[] };
  expect(both.explanations).toEqual([bare, bare]);
  const npy = await call(server.port, {
    path: "/explanations/mlp",
    headers: { accept: "application/x-npy" },
    body: JSON.stringify(input),
  });
  expect(npy.body.subarray(1, 6).toString("latin1")).toBe("NUMPY");
});

describe("digits", () => {
  const explain = (query: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const body = readFileSync(`${repository}examples/digits/7.png`);
    return call(server.port, { path: `/explanations/digits?${query}`, headers, body });
  };

  test.each(read("digits").map((one) => [queryOf(one.options), one] as const))(
    "a picture, as the model sees it: %s is Captum's",
    async (query, one) => {
      const { attributions, target, score, delta } = json(await explain(`${query}&detail=true`)) as Detailed;
      expectClose(attributions, one.attributions["image"]!);
      expect(target).toEqual(one.target);
      expect(score).toBeCloseTo(one.score, 4);
      expect(delta).toBeCloseTo(one.delta, 3);
    },
  );

  test("labels and top-k are of predictions only; the predicted class is found", async () => {
    expect((json(await explain("target=predicted&detail=true")) as Detailed).target).toEqual([7]);
  });

  test("in another type than JSON, as predictions of this handler are not", async () => {
    const accept = "application/x-npy";
    const answer = await call(server.port, {
      path: "/explanations/digits?target=7",
      headers: { accept },
      body: readFileSync(`${repository}examples/digits/7.png`),
    });
    expect([answer.status, answer.body.subarray(1, 6).toString("latin1")]).toEqual([200, "NUMPY"]);
    const path = "/predictions/digits";
    const body = readFileSync(`${repository}examples/digits/7.png`);
    expect((await call(server.port, { path, headers: { accept }, body })).status).toBe(406);
  });

  test("a heat map for those who ask for a picture", async () => {
    const answer = await explain("target=7&detail=true", { accept: "image/png, application/json;q=0.5" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("image/png");
    expect(answer.headers.get("x-sconce-model")).toBe("digits/1.0");
    const { data, info } = await sharp(answer.body).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([224, 224]);
    // Where Captum's attribution is above 0 red is full, below it blue is.
    for (const [place, value] of (read("digits")[0]?.attributions["image"]?.data.map(Number) ?? []).entries()) {
      const at = (Math.floor(place / 8) * 28 * 224 + (place % 8) * 28) * 3;
      if (value !== 0) expect(data[at + (value > 0 ? 0 : 2)]).toBe(255);
    }
    expect((await explain("target=7", { accept: "image/webp" })).status).toBe(406);
  });
});

test("predictions go on between explanations, and both say which version answered", async () => {
  const [one] = read("convnet");
  const body = JSON.stringify(bodyOf(one!.inputs));
  const explanations = Array.from({ length: 4 }, () =>
    call(server.port, { path: "/explanations/convnet?steps=200", body }),
  );
  const prediction = await call(server.port, { path: "/predictions/convnet", body });
  expect(prediction.status).toBe(200);
  for (const answer of await Promise.all(explanations)) {
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-sconce-model")).toBe("convnet/1.0");
  }
});

test("several samples are no picture", async () => {
  const instances = JSON.stringify({ instances: [Array(16).fill(1), Array(16).fill(2)] });
  const answer = await call(server.port, {
    path: "/explanations/mlp",
    headers: { accept: "image/png" },
    body: instances,
  });
  expect(answer.status).toBe(406);
  const one = await call(server.port, {
    path: "/explanations/mlp",
    headers: { accept: "image/*" },
    body: JSON.stringify(Array(16).fill(1)),
  });
  expect(one.body.subarray(1, 4).toString("latin1")).toBe("PNG");
});

test.each([
  ["mlp?steps=0", [], 400, /steps must be/],
  ["mlp?nonsense=1", [], 400, /no parameter .{2}nonsense/],
  ["mlp?target=99", Array(16).fill(1), 400, /target 99 lies outside/],
  ["mlp?target=1,1", Array(16).fill(1), 400, /one index for each dimension/],
  ["mlp?steps=1&rule=riemann_left", Array(16).fill(1), 400, /at least 2/],
  ["mlp", [1, 2], 400, /expected/],
  ["integers", { count: [1, 2, 3], flag: [true, false, true] }, 501, /floating point/],
  ["nobody", [], 404, /Model not found/],
])("%s is refused with a reason", async (path, body, status, words) => {
  const answer = await call(server.port, { path: `/explanations/${path}`, body: JSON.stringify(body) });
  expect({ status: answer.status, body: answer.body.toString("utf8") }).toEqual({
    status,
    body: expect.stringMatching(words) as string,
  });
});
