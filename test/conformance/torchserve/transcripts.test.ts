/**
 * TorchServe's wire behaviour as data: each .yaml here names a server and what is asked of it, in order. One line:
 *
 *   - { ask: "POST /models?url=moody-1", on: management, status: 200, says: '{"status": "…"}' }
 *
 * `on` is inference unless given; `send`/`file`/`type` make the body; `says` is the whole answer without its white
 * space, `…` stands for anything; `heads` are headers, "-" means absent. Runs against a real process.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { call } from "../../e2e/client.js";
import { models, repository, Server } from "../../e2e/server.js";

interface Transcript {
  readonly ask: string;
  readonly on?: "inference" | "management" | "metrics";
  readonly send?: string;
  readonly file?: string;
  readonly type?: string;
  readonly status: number;
  readonly says?: string;
  readonly heads?: Readonly<Record<string, string>>;
}

interface Suite {
  readonly about: string;
  readonly args: readonly string[];
  readonly transcripts: readonly Transcript[];
}

const root = mkdtempSync(join(tmpdir(), "sconce-conformance-"));
const store = join(root, "store");

/** An unpacked archive of one version. */
function version(name: string, number: string): void {
  const folder = join(store, `${name}-${number}`);
  mkdirSync(join(folder, "MAR-INF"), { recursive: true });
  cpSync(`${models}${name}.pt`, join(folder, `${name}.pt`));
  cpSync(`${models}${name}.yaml`, join(folder, "model-config.yaml"));
  const model = {
    modelName: name,
    modelVersion: `${number}.0`,
    serializedFile: `${name}.pt`,
    handler: "base_handler",
    configFile: "model-config.yaml",
  };
  writeFileSync(join(folder, "MAR-INF", "MANIFEST.json"), JSON.stringify({ model, archiverVersion: "0.12.0" }));
}

function makeStore(): void {
  for (const number of ["1", "2", "3"]) version("moody", number);
  for (const name of ["slow", "lopsided", "wordy"]) version(name, "1");
  cpSync(join(repository, "examples/digits/digits.mar"), join(store, "digits.mar"));
  writeFileSync(join(store, "garbage.mar"), "not an archive");
  writeFileSync(join(store, "empty.mar"), "");
  writeFileSync(join(store, "garbage.pt"), "not a model");
  mkdirSync(join(root, "store-evil"));
  cpSync(join(store, "moody-1"), join(root, "store-evil", "moody"), { recursive: true });
  symlinkSync(join(root, "store-evil", "moody"), join(store, "outside"));
}

const dense = (text: string): string => text.replace(/\s+/g, "");

function pattern(says: string): RegExp {
  const parts = dense(says).split("…");
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`);
}

function bodyOf({ send, file }: Transcript): string | Buffer | undefined {
  return file === undefined ? send : readFileSync(join(repository, file));
}

beforeAll(makeStore);
afterAll(() => rmSync(root, { recursive: true }));

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".yaml"));
const suites = files.map((name) => parse(readFileSync(join(import.meta.dirname, name), "utf8")) as Suite);

test("there are at least 150 transcripts", () => {
  expect(suites.reduce((sum, { transcripts }) => sum + transcripts.length, 0)).toBeGreaterThanOrEqual(150);
});

describe.each(suites.map((suite) => [suite.about, suite] as const))("%s", (_, suite) => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start([...suite.args, "--model-store", store]);
  });
  afterAll(async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  const ports = (): Record<string, number> => ({
    inference: server.port,
    management: server.managementPort,
    metrics: server.metricsPort,
  });

  test.each(suite.transcripts.map((each) => [`${each.ask} ${each.send?.slice(0, 40) ?? ""}`, each] as const))(
    "%s",
    async (__, transcript) => {
      const [method = "", path = ""] = transcript.ask.split(" ");
      const body = bodyOf(transcript);
      const answer = await call(ports()[transcript.on ?? "inference"] ?? 0, {
        method,
        path,
        headers: transcript.type === undefined ? {} : { "content-type": transcript.type },
        ...(body === undefined ? {} : { body }),
      });
      const text = answer.body.toString("utf8");
      expect(`${answer.status} ${text}`).toMatch(new RegExp(`^${transcript.status} `));
      if (transcript.says !== undefined) expect(dense(text)).toMatch(pattern(transcript.says));
      for (const [name, value] of Object.entries(transcript.heads ?? {})) {
        expect(answer.headers.get(name) ?? "-").toBe(value);
      }
    },
  );
});
