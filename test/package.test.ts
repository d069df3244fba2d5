/** What npm packs is whole: it runs without the clone, its remedies are in it, and node-gyp builds it with nothing to download. */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"; // prettier-ignore
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "sconce-package-"));
/** No configuration of npm's, and nothing that points to a build or a libtorch of this clone. */
const env = { PATH: process.env["PATH"], HOME: folder, npm_config_userconfig: "/dev/null", npm_config_offline: "true" };
const installed = join(folder, "node_modules/sconce");
const sconce = (...words: string[]) =>
  spawnSync(process.execPath, [join(installed, "dist/main.js"), ...words], { cwd: folder, env, encoding: "utf8" });

/** As npm install --ignore-scripts lays it out, with the clone's dependencies in place of a registry's. */
beforeAll(() => {
  const words = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  const archive = execFileSync("npm", words, { cwd: root, env, encoding: "utf8" }).trim();
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, archive), "-C", installed, "--strip-components=1"]);
  for (const name of readdirSync(join(root, "node_modules")).filter((each) => !each.startsWith("."))) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("what is installed with its scripts blocked says its version, and what it lacks", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect(sconce("--version").stdout).toMatch(`sconce ${version} (node`);
  const found = sconce("doctor", "--json");
  expect(found.status).toBe(1);
  const { checks } = JSON.parse(found.stdout) as { checks: { name: string; status: string; fix?: string }[] };
  const engine = checks.find(({ name }) => name === "engine");
  expect(engine).toMatchObject({ status: "fail", fix: `bash ${join(installed, "scripts/install-engine")}` });
  for (const { fix = "" } of checks) expect(fix).not.toMatch(/npm run|scripts\/setup/);
});

test("all that the engine is built from is in it", () => {
  for (const script of ["install-engine", "build-native", "build-cuda", "find-libtorch"]) {
    const path = join(installed, "scripts", script);
    expect(spawnSync("bash", ["-n", path]).status, script).toBe(0);
    const used = readFileSync(path, "utf8").matchAll(/^\. (scripts\/\S+)/gm);
    for (const [, each = ""] of used) expect(existsSync(join(installed, each)), each).toBe(true);
  }
  for (const target of ["core", "codec", "torch", "node", "probe", "cuda"]) {
    expect(existsSync(join(installed, "native", target, "CMakeLists.txt")), target).toBe(true);
  }
});

test("node-gyp, given the headers of a package, downloads nothing and calls scripts/build-native", () => {
  const copy = join(folder, "gyp");
  mkdirSync(join(copy, "scripts"), { recursive: true });
  for (const name of ["binding.gyp", "package.json", "CMakeLists.txt"])
    copyFileSync(join(installed, name), join(copy, name));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  // The build itself takes minutes, and is what every other test runs on.
  writeFileSync(
    join(copy, "scripts/build-native"),
    'mkdir -p build/Release && echo "$*" > build/Release/sconce.node\n',
  );
  const command = /^# +npx node-gyp (.*)$/m.exec(readFileSync(join(root, "binding.gyp"), "utf8"))?.[1] ?? "";
  const words = [join(root, "node_modules/node-gyp/bin/node-gyp.js"), ...command.split(" ")];
  const ran = spawnSync(process.execPath, words, { cwd: copy, env, encoding: "utf8" });
  expect(ran.status, ran.stderr).toBe(0);
  expect(readFileSync(join(copy, "build/Release/sconce.node"), "utf8")).toBe("--force\n");
  expect(ran.stderr).not.toMatch(/http (GET|fetch)/);
});
