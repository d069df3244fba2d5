/** What the conformance tests share: the transcripts of this folder's .yaml files, and the store that they speak of. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { type Answer, call } from "../../e2e/client.js";
import { models, repository, type Server } from "../../e2e/server.js";

export interface Transcript {
  readonly ask: string;
  readonly on?: "inference" | "management" | "metrics";
  readonly send?: string;
  readonly file?: string;
  readonly type?: string;
  readonly accept?: string;
  /** The Authorization header; "inference", "management" and "API" stand for the key of that name, behind "former" as it first was. */
  readonly key?: string;
  readonly status: number;
  readonly says?: string;
  readonly heads?: Readonly<Record<string, string>>;
}

export interface Suite {
  readonly about: string;
  readonly args: readonly string[];
  readonly transcripts: readonly Transcript[];
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".yaml"));
export const suites = files.map((name) => parse(readFileSync(join(import.meta.dirname, name), "utf8")) as Suite);

/** An unpacked archive of one version. */
function version(store: string, name: string, number: string): void {
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

/** A new folder with a store in it, and what must not be reachable beside it. */
export function makeStore(): { readonly root: string; readonly store: string } {
  const root = mkdtempSync(join(tmpdir(), "sconce-conformance-"));
  const store = join(root, "store");
  for (const number of ["1", "2", "3"]) version(store, "moody", number);
  for (const name of ["slow", "lopsided"]) version(store, name, "1");
  cpSync(join(repository, "examples/digits/digits.mar"), join(store, "digits.mar"));
  writeFileSync(join(store, "garbage.mar"), "not an archive");
  writeFileSync(join(store, "empty.mar"), "");
  writeFileSync(join(store, "garbage.pt"), "not a model");
  mkdirSync(join(root, "store-evil"));
  cpSync(join(store, "moody-1"), join(root, "store-evil", "moody"), { recursive: true });
  symlinkSync(join(root, "store-evil", "moody"), join(store, "outside"));
  return { root, store };
}

export function bodyOf({ send, file }: Transcript): string | Buffer | undefined {
  return file === undefined ? send : readFileSync(join(repository, file));
}

interface KeyFile {
  readonly path: string;
  /** By name, as they were at the start. */
  readonly first: Keys;
}
type Keys = Readonly<Record<string, { readonly key: string } | undefined>>;

const readKeys = (path: string): Keys => JSON.parse(readFileSync(path, "utf8")) as Keys;

/** Of a server that has just started; undefined for a suite without keys. */
export function keyFileOf({ args }: Suite, path: string): KeyFile | undefined {
  return args.includes("--token-auth") ? { path, first: readKeys(path) } : undefined;
}

/** The Authorization header that a transcript asks with, if any. */
export function authorizationOf({ key }: Transcript, file: KeyFile | undefined): Readonly<Record<string, string>> {
  if (key === undefined || file === undefined) return {};
  const now = readKeys(file.path);
  const authorization = key.replace(/(former )?(inference|management|API)/, (_, former: unknown, name: string) => {
    return (former === undefined ? now : file.first)[name]?.key ?? "";
  });
  return { authorization };
}

/** The transcript's request, as REST. */
export function askRest(server: Server, transcript: Transcript, keys?: KeyFile): Promise<Answer> {
  const [method = "", path = ""] = transcript.ask.split(" ");
  const body = bodyOf(transcript);
  const ports = { inference: server.port, management: server.managementPort, metrics: server.metricsPort };
  return call(ports[transcript.on ?? "inference"], {
    method,
    path,
    headers: {
      ...(transcript.type === undefined ? {} : { "content-type": transcript.type }),
      ...(transcript.accept === undefined ? {} : { accept: transcript.accept }),
      ...authorizationOf(transcript, keys),
    },
    ...(body === undefined ? {} : { body }),
  });
}

export const dense = (text: string): string => text.replace(/\s+/g, "");

/** A transcript's `says`: white space does not count, `…` stands for anything. */
export function pattern(says: string): RegExp {
  const parts = dense(says).split("…");
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`);
}
