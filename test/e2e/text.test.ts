/** The three text handlers on a real server, against what Python answers; see test/models/text_goldens.py. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { repository, Server } from "./server.js";

interface Entity {
  readonly entity: string;
  readonly score: number;
  readonly index: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}
interface Expected {
  readonly text: string;
  readonly embedding: readonly number[];
  readonly classes: readonly number[];
  readonly tokens: readonly (Omit<Entity, "entity"> & { readonly entity: number })[];
}

const fixtures = join(repository, "test/fixtures/text");
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as readonly Expected[];
const folder = mkdtempSync(join(tmpdir(), "sconce-text-"));
const tags = ["O", "PERSON", "PLACE", "THING"];

function lay(name: string, part: string, yaml: string, labels?: readonly string[]): string {
  const path = join(folder, name);
  mkdirSync(path);
  cpSync(join(fixtures, `${part}.pt`), join(path, "model.pt"));
  cpSync(join(fixtures, "wordpiece.json"), join(path, "tokenizer.json"));
  writeFileSync(join(path, "model-config.yaml"), yaml);
  if (labels !== undefined)
    writeFileSync(join(path, "index_to_name.json"), JSON.stringify(Object.fromEntries(labels.entries())));
  return path;
}

/** Another model's tokenizer: it has a word whose id is beyond this model's embedding. */
function mismatched(): string {
  const path = lay("mismatched", "encoder", "handler: text_embedding\nbatchSize: 16\n");
  const file = join(path, "tokenizer.json");
  const whole = JSON.parse(readFileSync(file, "utf8")) as {
    readonly model: { readonly vocab: Record<string, number> };
  };
  whole.model.vocab["zebra"] = 5000;
  writeFileSync(file, JSON.stringify(whole));
  return path;
}

let server: Server;
beforeAll(async () => {
  server = await Server.start([
    lay("vectors", "encoder", "handler: text_embedding\n"),
    lay("classes", "classifier", "handler: text_classifier\n", ["bad", "good", "so-so"]),
    lay("top", "classifier", "handler: text_classifier\nsconce: { topK: 1, text: { overlong: cut } }\n"),
    mismatched(),
    lay("tags", "tagger", "handler: token_classifier\n", tags),
  ]);
}, 60_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(folder, { recursive: true, force: true });
});

function ask(model: string, body: string | Buffer, type = "text/plain; charset=utf-8") {
  return call(server.port, { path: `/predictions/${model}`, headers: { "content-type": type }, body });
}

function distance(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? NaN), 0);
  return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe("equal to Python", () => {
  test.each(expected.map((each) => [each.text, each] as const))("%j", async (text, { embedding, classes, tokens }) => {
    const vector = jsonOf(await ask("vectors", text)) as number[];
    expect(vector).toHaveLength(embedding.length);
    expect(distance(vector, embedding)).toBeLessThan(1e-5);

    const scores = jsonOf(await ask("classes", text)) as Record<string, number>;
    expect(Object.keys(scores)).toEqual(["bad", "good", "so-so"]);
    Object.values(scores).forEach((score, i) => expect(score).toBeCloseTo(classes[i]!, 5));

    const found = jsonOf(await ask("tags", text)) as Entity[];
    const wanted = tokens.filter(({ entity }) => entity !== 0);
    expect(found.map(({ score: _score, ...rest }) => rest)).toEqual(
      wanted.map(({ score: _score, entity, ...rest }) => ({ entity: tags[entity], ...rest })),
    );
    found.forEach(({ score }, i) => expect(score).toBeCloseTo(wanted[i]!.score, 5));
  });

  test("several at once, of different lengths", async () => {
    const texts = expected.map(({ text }) => text);
    const list = jsonOf(await ask("vectors", JSON.stringify(texts), "application/json")) as number[][];
    list.forEach((vector, i) => expect(distance(vector, expected[i]!.embedding)).toBeLessThan(1e-5));
    const instances = texts.map((data) => ({ data }));
    const answer = jsonOf(await ask("vectors", JSON.stringify({ instances }), "application/json"));
    expect((answer as { predictions: unknown[] }).predictions).toHaveLength(texts.length);
    const together = await Promise.all(Array.from({ length: 40 }, (_, i) => ask("vectors", texts[i % texts.length]!)));
    together.forEach((each, i) => {
      expect(distance(jsonOf(each) as number[], expected[i % texts.length]!.embedding)).toBeLessThan(1e-5);
    });
  });
});

test("the most probable only, of a text that was cut", async () => {
  const long = "time ".repeat(200);
  const [label] = Object.entries(jsonOf(await ask("top", long)) as Record<string, number>);
  expect(["0", "1", "2"]).toContain(label![0]);
  expect(label![1]).toBeGreaterThan(1 / 3);
  expect(jsonOf(await ask("top", "time ".repeat(62)))).toEqual(jsonOf(await ask("top", long)));
});

describe("what is refused", () => {
  test.each([
    ["time ".repeat(200), "text/plain", 400, "overlong"],
    [Buffer.from([0x61, 0xff]), "text/plain", 400, "UTF-8"],
    ["{", "application/json", 400, "not JSON"],
    ["[]", "application/json", 400, "no texts"],
    ["x".repeat(1024 * 1024 + 1), "text/plain", 413, "maxTextSize"],
  ])("%.20j as %s", async (body, type, status, words) => {
    const answer = await ask("vectors", body, type);
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).toContain(words);
  });
});

test("what is refused fails its text alone", async () => {
  const bodies = ["a good day", Buffer.from([0x61, 0xff]), "time", "time ".repeat(200), "", "not a bad one"];
  const answers = await Promise.all(bodies.map((body) => ask("mismatched", body)));
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 400, 200, 200]);
  for (const at of [0, 2, 4, 5]) {
    const alone = jsonOf(await ask("vectors", bodies[at]!)) as number[];
    expect(distance(jsonOf(answers[at]!) as number[], alone)).toBeLessThan(1e-5);
  }
});

test("a token that the model does not know fails its text alone", async () => {
  const texts = ["a good day", "zebra", "not a bad one", "zebra time", "time"];
  const answers = await Promise.all(texts.map((text) => ask("mismatched", text)));
  expect(answers.map(({ status }) => status)).toEqual([200, 500, 200, 500, 200]);
  expect(answers[1]!.body.toString()).toContain("index out of range");
  for (const at of [0, 2, 4]) {
    const alone = jsonOf(await ask("vectors", texts[at]!)) as number[];
    expect(distance(jsonOf(answers[at]!) as number[], alone)).toBeLessThan(1e-5);
  }
});

describe("explanations in TorchServe's form", () => {
  interface Insight {
    readonly importances: readonly number[];
    readonly words: readonly string[];
    readonly delta: number;
  }
  const send = (body: unknown, query = "") =>
    call(server.port, {
      path: `/explanations/classes${query}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const explain = async (body: unknown, query = "") => jsonOf(await send(body, query));

  test("words with what each counts, alone and together, equal to the detailed numbers", async () => {
    const one = (await explain("a good day", "?target=1")) as Insight;
    expect(Object.keys(one)).toEqual(["importances", "words", "delta"]);
    expect([one.words[0], one.words.at(-1)]).toEqual(["[CLS]", "[SEP]"]);
    expect(one.words.join("").replaceAll("#", "")).toBe("[CLS]agoodday[SEP]");
    expect(Math.abs(one.delta)).toBeLessThan(1e-4);
    const detailed = (await explain("a good day", "?target=1&detail=true")) as { readonly attributions: number[] };
    one.importances.forEach((value, at) => expect(value).toBeCloseTo(detailed.attributions[at]!, 7));
    expect(one.importances.length).toBe(one.words.length);
    expect(await explain(["a good day", "time"], "?target=1")).toEqual([one, await explain("time", "?target=1")]);
    const instances = await explain({ instances: ["a good day"] }, "?target=1");
    expect(instances).toEqual({ explanations: [one] });
  });

  test("the target of the body, which the query's goes before", async () => {
    const [zero, two] = [await explain("a good day"), await explain("a good day", "?target=2")];
    expect(two).not.toEqual(zero);
    expect(await explain({ data: "a good day", target: 2 })).toEqual(two);
    expect(await explain({ data: "a good day", target: 0 }, "?target=2")).toEqual(two);
    const part = (name: string, text: string) =>
      `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`;
    const form = await call(server.port, {
      path: "/explanations/classes",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `${part("data", "a good day")}${part("target", "2")}--b--\r\n`,
    });
    expect(jsonOf(form)).toEqual(two);
    const refused = await send({ data: "a good day", target: "many" });
    expect([refused.status, refused.body.toString()]).toEqual([400, expect.stringContaining("target must be")]);
    expect((await send({ data: "a good day", target: 9 })).status).toBe(400);
  });
});

test("explanations: a number for each token, padding's are 0, of one text as of several", async () => {
  interface Explained {
    readonly attributions: readonly number[];
    readonly target: readonly number[];
    readonly delta: number;
  }
  const explain = async (body: unknown) =>
    jsonOf(
      await call(server.port, {
        path: "/explanations/classes?target=predicted&detail=true",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  const texts = ["a good day", "not a bad one"];
  const both = (await explain(texts)) as { readonly explanations: readonly Explained[] };
  expect(both.explanations.length).toBe(2);
  for (const [index, text] of texts.entries()) {
    const alone = (await explain(text)) as Explained;
    expect(both.explanations[index]).toEqual(alone);
    const { attributions, target, delta } = alone;
    expect(target.length).toBe(1);
    expect(Math.abs(delta)).toBeLessThan(1e-4);
    expect(attributions.some((each) => each !== 0)).toBe(true);
    expect(attributions.at(-1)).toBe(0);
  }
});
