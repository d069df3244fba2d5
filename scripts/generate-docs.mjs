/**
 * Writes the references in docs/ from the tables in src/ (compiled, so build first): the part of each page between
 * `<!-- generated -->` and `<!-- /generated -->`. With --check it writes nothing and fails when a page is stale.
 *
 *     npm run build:ts && node scripts/generate-docs.mjs [--check]
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const load = (path) => import(join(root, "dist", path));

/** Text that may stand in a cell of a table. */
const cell = (value) =>
  String(value ?? "")
    .replaceAll("|", "\\|")
    .replaceAll("\n", " ");
const table = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

async function errors() {
  const { errorTable } = await load("errors.js");
  const rows = errorTable
    .filter((each) => each.code !== "ok")
    .map((each) => [
      `\`${each.code}\``,
      each.http,
      `\`${each.type}\``,
      `\`${each.grpc}\``,
      each.closes ? "closes" : "stays open",
      each.help,
    ]);
  return table(["code", "HTTP", "`type` in the body", "gRPC", "connection", "when"], rows);
}

async function options() {
  const { optionTable } = await load("config/options.js");
  const { placeholder, showValue } = await load("config/values.js");
  const fallback = (row) => {
    if (row.fallback === "auto") return row.auto ?? "auto";
    if (row.fallback === undefined || String(row.fallback) === "") return "";
    return `\`${showValue(row.kind, row.fallback)}\``;
  };
  const groups = [...new Set(optionTable.map((row) => row.group))];
  return groups
    .map((group) => {
      const rows = optionTable
        .filter((row) => row.group === group)
        .map((row) => [
          `\`--${row.flag}${row.kind.type === "boolean" ? "" : ` ${row.placeholder ?? placeholder(row.kind)}`}\``,
          fallback(row),
          row.help,
          [row.env, ...(row.alsoEnv ?? [])].map((name) => `\`${name}\``).join(", else "),
          `\`${row.fileKey}\``,
        ]);
      return `## ${group}\n\n${table(["option", "default", "meaning", "environment", "key in --config"], rows)}`;
    })
    .join("\n\n");
}

async function metrics() {
  const { metricTable } = await load("metrics/table.js");
  const labels = (row) => row.labels.map((each) => `\`${each}\``).join(", ");
  const { processMetrics } = await load("metrics/exposition.js");
  const all = [...metricTable, ...processMetrics()];
  const rows = all.map((row) => [`\`${row.name}\``, row.type, labels(row), row.help]);
  return table(["metric", "type", "labels", "meaning"], rows);
}

async function torchserveConfiguration() {
  const { torchserveKeys } = await load("config/torchserve-keys.js");
  const rows = torchserveKeys.map((each) => [
    `\`${each.key}\``,
    each.env === undefined ? "" : `\`${each.env}\``,
    each.read === undefined ? `not used: ${each.here}` : each.here,
  ]);
  return table(["key", "variable", "here"], rows);
}

async function textOptions() {
  const { textKeys } = await load("archive/text-config.js");
  const rows = Object.entries(textKeys).map(([key, row]) => [`\`${key}\``, row.values, row.fallback, row.help]);
  return table(["key", "values", "default", "meaning"], rows);
}

async function modelKeys() {
  const keys = await load("archive/model-keys.js");
  const rowsOf = (rows, fits = () => true) =>
    Object.entries(rows)
      .filter(([, row]) => fits(row))
      .map(([key, row]) => [`\`${key}\``, keys.valuesOf(row), row.fallback, row.help]);
  const section = (title, rows) => `## ${title}\n\n${table(["key", "values", "default", "meaning"], rows)}`;
  const told = (who) => keys.namesOf(keys.topKeys, (row) => row.actsOn === who).map((key) => [key, keys.topKeys[key]]);
  const briefly = (title, who) =>
    `## ${title}\n\n${table(
      ["key", "meaning"],
      told(who).map(([key, row]) => [`\`${key}\``, row.help]),
    )}`;
  return [
    section(
      "TorchServe's",
      rowsOf(keys.topKeys, (row) => row.actsOn === undefined),
    ),
    section(
      "Of models that Python runs",
      rowsOf(keys.topKeys, (row) => row.actsOn === "python"),
    ),
    briefly("TorchServe's that have no effect here", "nobody"),
    section("`sconce`", rowsOf(keys.sconceKeys)),
    section("Each of `sconce.inputs`", rowsOf(keys.inputKeys)),
    section("`sconce.image`", rowsOf(keys.imageKeys)),
    section("`sconce.handler`", rowsOf(keys.handlerKeys)),
  ].join("\n\n");
}

const pages = {
  "docs/errors.md": errors,
  "docs/options.md": options,
  "docs/metrics.md": metrics,
  "docs/migrating-from-torchserve.md": torchserveConfiguration,
  "docs/text.md": textOptions,
  "docs/model-config.md": modelKeys,
};
async function schema() {
  const { configSchema } = await load("config/schema.js");
  const { optionKeys, optionRows } = await load("config/options.js");
  return `${JSON.stringify(configSchema(optionKeys.map((key) => optionRows[key])), null, 2)}\n`;
}

/** Files that are generated whole. */
const files = { "docs/sconce.schema.json": schema };
const check = process.argv.includes("--check");
const stale = [];
for (const [page, make] of Object.entries(pages)) {
  const path = join(root, page);
  const before = readFileSync(path, "utf8");
  const made = await make();
  const after = before.replace(
    /<!-- generated -->[\s\S]*<!-- \/generated -->/,
    () => `<!-- generated -->\n\n${made}\n\n<!-- /generated -->`,
  );
  if (!after.includes(made)) throw new Error(`${page} has no <!-- generated --> … <!-- /generated --> part`);
  if (after === before) continue;
  stale.push(page);
  if (!check) writeFileSync(path, after);
}
for (const [file, make] of Object.entries(files)) {
  const path = join(root, file);
  const made = await make();
  if (existsSync(path) && readFileSync(path, "utf8") === made) continue;
  stale.push(file);
  if (!check) writeFileSync(path, made);
}
if (check && stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}; run: npm run build:ts && node scripts/generate-docs.mjs`);
  process.exitCode = 1;
} else {
  console.log(check ? "fresh" : stale.length > 0 ? `wrote ${stale.join(", ")}` : "nothing to do");
}
