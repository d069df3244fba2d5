// npm run bench -- codec [--json FILE] [--rounds N]: the native JSON codec beside V8's, on the same float32 values.
//
// Both start from the request's bytes and end at the answer's: V8 from a Buffer through JSON.parse to a Float32Array,
// and back through JSON.stringify of an array. V8 reads the text that the native side writes (the shortest float32
// text), which is also the shorter one. The two take turns, round by round; medians count.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const build = join(root, "build/bench-codec");
const sizes = [1_000, 150_528]; // a vector of features; one 3 × 224 × 224 picture
const bars = { parse: 3, write: 5 };
const floatsPerRound = 1_500_000;

const { values: options } = parseArgs({
  options: {
    json: { type: "string", default: join(root, "bench/results/local/codec.json") },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string" },
  },
});
const rounds = Number(options.rounds);

function binary() {
  const quiet = { cwd: root, stdio: ["ignore", "ignore", "inherit"] };
  const flags = ["-DSCONCE_PARTS=codec", "-DSCONCE_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release"];
  execFileSync("cmake", ["-S", ".", "-B", build, ...flags], quiet);
  execFileSync("cmake", ["--build", build, "--target", "sconce_codec_bench", "-j", "2"], quiet);
  return join(build, "bench/micro/sconce_codec_bench");
}

/** Normally distributed values, as activations and normalised pixels are; always the same ones. */
function samples(count) {
  let state = 20_260_101;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(6.283185307 * uniform()),
  );
}

/** The shortest decimal text that reads back as the same float32. */
function shortest(value) {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

function nsPerFloat(count, work) {
  const times = Math.max(1, Math.floor(floatsPerRound / count));
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i++) work();
  return Number(process.hrtime.bigint() - start) / (times * count);
}

function median(list) {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function measure(program, folder, count) {
  const values = samples(count);
  const text = Buffer.from(`[${Array.from(values, shortest).join(",")}]`);
  const file = join(folder, `${count}.f32`);
  writeFileSync(file, values);
  const found = { native: { parse: [], write: [] }, v8: { parse: [], write: [] } };
  let kept = 0;
  const parse = () => (kept += Float32Array.from(JSON.parse(text.toString("latin1"))).length);
  const write = () => (kept += Buffer.from(JSON.stringify(Array.from(values))).length);
  nsPerFloat(count, parse);
  nsPerFloat(count, write);
  for (let round = 0; round < rounds; round++) {
    found.v8.parse.push(nsPerFloat(count, parse));
    found.v8.write.push(nsPerFloat(count, write));
    const native = JSON.parse(execFileSync(program, [file, "1"], { encoding: "utf8" }));
    found.native.parse.push(...native.parse);
    found.native.write.push(...native.write);
  }
  if (kept === 0) throw new Error("nothing was measured");
  return Object.entries(bars).map(([operation, bar]) => {
    const native = median(found.native[operation]);
    const v8 = median(found.v8[operation]);
    const ratio = v8 / native;
    return { count, operation, nativeNs: native, v8Ns: v8, ratio, bar, held: ratio >= bar };
  });
}

const folder = mkdtempSync(join(tmpdir(), "sconce-codec-"));
try {
  const program = binary();
  const results = sizes.flatMap((count) => measure(program, folder, count));
  console.log("floats    operation  native ns  V8 ns    ratio  bar");
  for (const row of results) {
    const cells = [String(row.count).padEnd(9), row.operation.padEnd(10), row.nativeNs.toFixed(1).padEnd(10)];
    const rest = [
      row.v8Ns.toFixed(1).padEnd(8),
      row.ratio.toFixed(1).padEnd(6),
      `${row.bar} ${row.held ? "held" : "MISSED"}`,
    ];
    console.log([...cells, ...rest].join(" "));
  }
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, v8: process.versions.v8 };
  mkdirSync(dirname(options.json), { recursive: true });
  writeFileSync(options.json, `${JSON.stringify({ machine, rounds, results }, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
