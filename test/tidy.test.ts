/** The repository checks itself: lengths, directions, single importers, complete docs. Reads files, starts nothing. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { importable, untested, wallClock } from "./tidy-rules.js";

const root = join(import.meta.dirname, "..");
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));
const sources = new Map<string, string>();

function text(path: string): string {
  const known = sources.get(path) ?? readFileSync(join(root, path), "utf8");
  sources.set(path, known);
  return known;
}

const lines = (path: string): number => text(path).trimEnd().split("\n").length;
const inFolder = (folder: string, suffix: RegExp): string[] =>
  tracked.filter((path) => path.startsWith(`${folder}/`) && suffix.test(path));
const typescript = (...folders: string[]): string[] => folders.flatMap((folder) => inFolder(folder, /\.(ts|mjs)$/));
const cpp = inFolder("native", /\.(cc|h)$/);

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, text(path), ts.ScriptTarget.ES2022, true);
}

/** Every module that a file imports or re-exports, as written; `import()` of a literal too. */
function importsOf(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text);
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      if (argument && ts.isStringLiteral(argument)) found.push(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return found;
}

/** The part of the tree a source belongs to: `api/torchserve`, `http`, or the file itself at the top (`errors`). */
function part(path: string): string {
  const inside = path.replace(/^src\//, "").replace(/\.(ts|js)$/, "");
  const [first = "", second = ""] = inside.split("/");
  return first === "api" ? `${first}/${second}` : first;
}

function localImports(path: string): string[] {
  return importsOf(path)
    .filter((each) => each.startsWith("."))
    .map((each) => normalize(join(dirname(path), each)).replace(/\.js$/, ".ts"));
}

describe("lengths", () => {
  test("a TypeScript file has at most 400 lines, a C++ file 500", () => {
    const long = [
      ...typescript("src", "test", "bench", "scripts").filter((path) => lines(path) > 400),
      ...cpp.filter((path) => lines(path) > 500),
    ].map((path) => `${path}: ${lines(path)} lines`);
    expect(long).toEqual([]);
  });

  test("a TypeScript function has at most 70 lines", () => {
    const long: string[] = [];
    for (const path of typescript("src", "bench", "scripts")) {
      const file = parse(path);
      const visit = (node: ts.Node): void => {
        if (ts.isFunctionLike(node)) {
          const from = file.getLineAndCharacterOfPosition(node.getStart()).line;
          const to = file.getLineAndCharacterOfPosition(node.getEnd()).line;
          if (to - from + 1 > 70) long.push(`${path}:${from + 1}: ${to - from + 1} lines`);
        }
        ts.forEachChild(node, visit);
      };
      visit(file);
    }
    expect(long).toEqual([]);
  });

  test("a C++ function has at most 70 lines", () => {
    const long = cpp.flatMap((path) => longFunctions(path, text(path)));
    expect(long).toEqual([]);
  });
});

/** clang-format puts a function's closing brace under its first column, which is all this relies on. */
function longFunctions(path: string, source: string): string[] {
  const all = source.split("\n");
  const long: string[] = [];
  all.forEach((line, start) => {
    const opens = /^( {0,4})(?!namespace|class|struct|enum|union|extern|#|\/\/|return|if|for|while|switch)\S.*\{$/.exec(
      line,
    );
    if (!opens || line.endsWith("= {")) return; // a table is no function
    const end = all.indexOf(`${opens[1] ?? ""}}`, start);
    if (end - start + 1 > 70) long.push(`${path}:${start + 1}: ${end - start + 1} lines`);
  });
  return long;
}

describe("directions", () => {
  test("a part of src imports only what its layer allows", () => {
    const wrong: string[] = [];
    for (const path of typescript("src")) {
      const from = part(path);
      const allowed = importable[from];
      if (!allowed) {
        wrong.push(`${path}: no row for "${from}" in test/tidy-rules.ts`);
        continue;
      }
      for (const target of localImports(path)) {
        const to = part(target);
        const fits = to === from || allowed.includes("*") || allowed.includes(to) || allowed.includes(target);
        if (!fits) wrong.push(`${path} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("what a source imports exists, and no two parts import each other", () => {
    const edges = new Set<string>();
    const missing: string[] = [];
    for (const path of typescript("src")) {
      for (const target of localImports(path)) {
        if (!existsSync(join(root, target))) missing.push(`${path} imports ${target}`);
        if (part(path) !== part(target)) edges.add(`${part(path)} ${part(target)}`);
      }
    }
    const mutual = [...edges].filter((edge) => edges.has(edge.split(" ").reverse().join(" ")));
    expect({ missing, mutual }).toEqual({ missing: [], mutual: [] });
  });

  test("native folders include downward only", () => {
    const below: Record<string, readonly string[]> = {
      core: ["core"],
      sim: ["core", "torch", "sim"],
      codec: ["core", "codec"],
      torch: ["core", "codec", "torch"],
      cuda: ["core", "torch", "cuda"],
      probe: ["core", "codec", "torch", "probe"],
      node: ["core", "codec", "torch", "node"],
      fuzz: ["core", "codec", "fuzz"],
    };
    const wrong: string[] = [];
    for (const path of cpp) {
      const folder = path.split("/")[1] ?? "";
      for (const [, target = ""] of text(path).matchAll(/^#include "([a-z]+)\//gm)) {
        if (target in below && !below[folder]?.includes(target)) wrong.push(`${path} includes ${target}/`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

test("simulated GPUs are for tests: no source names their library, and no package has them", () => {
  const products = [...typescript("src"), ...cpp.filter((path) => !path.startsWith("native/sim/"))];
  expect(products.filter((path) => /sconce_sim|SIMULATED_GPU/.test(text(path)))).toEqual([]);
  expect(JSON.parse(text("package.json"))).toMatchObject({ files: expect.arrayContaining(["!native/sim"]) as unknown });
});

describe("single importers", () => {
  const importers = (name: RegExp): string[] =>
    typescript("src").filter((path) => importsOf(path).some((each) => name.test(each)));
  const includers = (name: RegExp): string[] =>
    [...new Set(cpp.filter((path) => name.test(text(path))).map((path) => path.split("/")[1]))] as string[];

  test("uWebSockets.js stops at http/listener.ts", () => {
    expect(importers(/^uWebSockets\.js$/)).toEqual(["src/http/listener.ts"]);
  });

  test("archive formats stop at one file for each direction", () => {
    expect(importers(/^tar$/)).toEqual(["src/archive/tar-write.ts", "src/archive/tar.ts"]);
    expect(importers(/^node-forge$/)).toEqual(["src/server/keystore.ts"]);
    expect(importers(/^yauzl$/)).toEqual(["src/archive/zip.ts"]);
    expect(importers(/^yazl$/)).toEqual(["src/archive/pack.ts"]);
  });

  test("Java's properties stop at config/properties.ts", () => {
    expect(importers(/^dot-properties$/)).toEqual(["src/config/properties.ts"]);
  });

  test("grpc-js and what belongs to it stop at grpc/listener.ts", () => {
    expect(importers(/^(@grpc\/|grpc-health-check$)/)).toEqual(["src/grpc/listener.ts"]);
  });

  test("the form parser stops at inference/form.ts", () => {
    expect(importers(/^@fastify\/busboy$/)).toEqual(["src/inference/multipart.ts"]);
  });

  test("Hugging Face's tokenizers stop at tokenizer/library.ts", () => {
    expect(importers(/^tokenizers$/)).toEqual(["src/tokenizer/library.ts"]);
  });

  test("esbuild stops at script/compile.ts", () => {
    expect(importers(/^esbuild$/)).toEqual(["src/script/compile.ts"]);
  });

  test("the addon stops at engine/native.ts", () => {
    const loads = typescript("src").filter((path) => /\bcreateRequire\b|process\.dlopen/.test(text(path)));
    // The second writes the word into what it compiles, the third loads node-forge when there is a keystore.
    expect(loads.sort()).toEqual(["src/engine/native.ts", "src/script/compile.ts", "src/server/keystore.ts"]);
  });

  test("Node-API stops at native/node, libtorch at native/torch and its probe, CUDA at native/cuda", () => {
    expect(includers(/#include <(napi|node_api)\.h>/)).toEqual(["node"]);
    const torch = includers(/#include <(torch|ATen|c10|caffe2)\//).filter((folder) => folder !== "probe");
    expect(torch.sort()).toEqual(["cuda", "sim", "torch"]);
    expect(includers(/#include <(cuda_runtime_api\.h|(c10|ATen)\/cuda\/)/)).toEqual(["cuda"]);
  });
});

describe("TypeScript's house rules", () => {
  test("the wall clock is asked for what people read and for what expires; every wait is on the steady one", () => {
    const asks = /\bDate\.now\b|new Date\(\)/;
    const asking = typescript("src").filter((path) => asks.test(text(path)));
    expect(asking.sort()).toEqual(Object.keys(wallClock).sort());
  });

  test("no state at module level, no enums, no default exports in src", () => {
    const wrong: string[] = [];
    for (const path of typescript("src")) {
      for (const statement of parse(path).statements) {
        const line = `${path}: ${statement.getText().split("\n")[0] ?? ""}`;
        if (ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const)) {
          wrong.push(`module-level state: ${line}`);
        }
        if (ts.isEnumDeclaration(statement)) wrong.push(`enum: ${line}`);
        if (ts.isExportAssignment(statement) || statement.getText().startsWith("export default")) {
          wrong.push(`default export: ${line}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("every source has its test, or a reason not to", () => {
    const missing: string[] = [];
    for (const path of typescript("src")) {
      const mirror = path.replace(/^src\//, "test/unit/").replace(/\.ts$/, ".test.ts");
      const excused = path in untested;
      if (existsSync(join(root, mirror)) === excused) missing.push(excused ? `${path} has a test now` : mirror);
    }
    for (const path of Object.keys(untested)) if (!existsSync(join(root, path))) missing.push(`${path} is gone`);
    expect(missing).toEqual([]);
  });

  test("every C++ source in core and codec has its test", () => {
    const missing = cpp
      .filter((path) => /^native\/(core|codec)\/\w+\.cc$/.test(path) && !/_test(_\w+)?\.cc$/.test(path))
      .filter((path) => !existsSync(join(root, path.replace(/\.cc$/, "_test.cc"))) && !(path in untested));
    expect(missing).toEqual([]);
  });
});

describe("words", () => {
  const binary = /\.(png|mar|pt|pt2|npy|bin|tgz|gz|zip|jpe?g|webp)$/;

  test("nothing names a place outside the repository, a registry host or a private key", () => {
    // Written in pieces, so that this file does not find itself.
    const parts = [
      "/work" + "/",
      "/tmp" + "/boot",
      "/tmp" + "/wt",
      "/ro" + "ot/",
      "registry." + "npmjs",
      "BEGIN " + "RSA",
    ];
    const found = tracked.flatMap((path) => {
      const content = readFileSync(join(root, path), "latin1");
      return parts.filter((word) => content.includes(word)).map((word) => `${path}: ${word}`);
    });
    expect(found).toEqual([]);
  });

  test("package-lock.json names no download address", () => {
    expect(text("package-lock.json")).not.toMatch(/"resolved"|https?:\/\/registry/);
  });

  test("no unfinished marks, no folder called util", () => {
    const mark = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
    const found = tracked.filter((path) => !binary.test(path) && path !== "LICENSE" && mark.test(text(path)));
    const vague = tracked.filter((path) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts$|\.cc$)/.test(path));
    expect({ found, vague }).toEqual({ found: [], vague: [] });
  });
});

describe("docs", () => {
  test("the generated references are fresh", () => {
    const output = execFileSync("node", ["scripts/generate-docs.mjs", "--check"], { cwd: root, encoding: "utf8" });
    expect(output).toContain("fresh");
  });

  test("every link between our pages leads to a file", () => {
    const broken: string[] = [];
    for (const path of tracked.filter((each) => each.endsWith(".md"))) {
      for (const [, target = ""] of text(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
        if (!existsSync(join(root, dirname(path), target))) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test("every path in backticks under src/, native/, test/, bench/, scripts/ exists", () => {
    const broken: string[] = [];
    for (const path of tracked.filter((each) => /^(README|docs\/.*)\.?(md)$/.test(each) || each === "README.md")) {
      for (const [, target = ""] of text(path).matchAll(/`((?:src|native|test|bench|scripts|examples)\/[\w./-]+)`/g)) {
        if (!existsSync(join(root, target))) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
