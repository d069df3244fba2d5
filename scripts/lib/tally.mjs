/**
 * Adds up what the runners wrote into one folder and prints the closing line `N passed, N failed, N skipped`.
 * Reads vitest's JSON (*.json), ctest's JUnit (*.xml) and lanes (*.lane: "passed|failed|skipped<TAB>name<TAB>reason").
 * Exits 1 when something failed or nothing passed.
 *
 *     node scripts/lib/tally.mjs .cache/results
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

/** One test's verdict: `outcome` is passed, failed or skipped. */
function verdict(outcome, name, reason = "") {
  return { outcome, name, reason };
}

/** vitest's JSON reporter: a file that could not be run counts as one failed test. `lane` tells runs of one file apart. */
function fromVitest(text, lane) {
  const report = JSON.parse(text);
  return report.testResults.flatMap((file) => {
    const name = `${lane === "vitest" ? "" : `${lane}: `}${relative(process.cwd(), file.name)}`;
    if (file.status === "failed" && !file.assertionResults.some((each) => each.status === "failed")) {
      return [
        verdict("failed", name, file.message?.split("\n")[0]),
        ...file.assertionResults.map((each) => one(name, each)),
      ];
    }
    return file.assertionResults.map((each) => one(name, each));
  });
}

function one(file, result) {
  const outcome = result.status === "passed" || result.status === "failed" ? result.status : "skipped";
  return verdict(
    outcome,
    `${file}: ${result.fullName}`,
    result.meta?.reason ?? result.failureMessages?.[0]?.split("\n")[0],
  );
}

/** ctest --output-junit: status is run, fail, notrun or disabled. */
function fromJunit(text, prefix) {
  return [...text.matchAll(/<testcase name="([^"]*)"[^>]*?status="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, name, status, body]) => {
      const outcome = status === "run" ? "passed" : status === "fail" ? "failed" : "skipped";
      const reason = /Skipped\s*\n?(.*)|<skipped message="([^"]*)"/.exec(body ?? "");
      return verdict(outcome, `${prefix}: ${name}`, outcome === "skipped" ? reason?.[1] || reason?.[2] || "" : "");
    },
  );
}

function fromLane(text) {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => verdict(...line.split("\t")));
}

function readAll(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      if (name.endsWith(".json")) return fromVitest(text, basename(name, ".json"));
      if (name.endsWith(".xml")) return fromJunit(text, basename(name, ".xml"));
      return name.endsWith(".lane") ? fromLane(text) : [];
    });
}

function list(title, verdicts) {
  if (verdicts.length === 0) return;
  console.log(`\n${title}`);
  for (const each of verdicts) console.log(`  ${each.name}${each.reason ? ` (${each.reason.trim()})` : ""}`);
}

const all = readAll(process.argv[2] ?? ".cache/results");
const of = (outcome) => all.filter((each) => each.outcome === outcome);
list("SKIPPED, so not known to work here:", of("skipped"));
list("FAILED:", of("failed"));
console.log(`\n${of("passed").length} passed, ${of("failed").length} failed, ${of("skipped").length} skipped`);
process.exitCode = of("failed").length > 0 || of("passed").length === 0 ? 1 : 0;
