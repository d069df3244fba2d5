// npm run bench -- NAME [options]: a scenario of bench/serve (NAME.json) or one operation of bench/micro (NAME.mjs).
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const [name, ...rest] = process.argv.slice(2);

function names(folder, ending) {
  if (!existsSync(here + folder)) return [];
  return readdirSync(here + folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
}

const serve = names("serve", ".json");
const micro = names("micro", ".mjs");

function run(script, args) {
  process.exitCode = spawnSync(process.execPath, [here + script, ...args], { stdio: "inherit" }).status ?? 1;
}

if (name !== undefined && serve.includes(name)) run("serve/run.mjs", [name, ...rest]);
else if (name !== undefined && micro.includes(name)) run(`micro/${name}.mjs`, rest);
else {
  console.error(`usage: npm run bench -- NAME [--json FILE] [--rounds N] [--seconds S]`);
  console.error(`scenarios: ${serve.join(", ")}\nmicro: ${micro.join(", ") || "none"}`);
  process.exitCode = name === undefined || name === "--help" ? 0 : 2;
}
