// The raw libtorch loop of the same artifact (bench/raw/raw_loop.cc): what libtorch gives when nothing is around it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { output } from "./processes.mjs";

const forms = ["plain", "frozen", "optimised"];

export class RawLoop {
  constructor({ root, libtorch, artifact, tensor, scenario, count }) {
    this.root = root;
    this.libtorch = libtorch;
    this.artifact = artifact;
    this.tensor = tensor;
    this.scenario = scenario;
    this.count = count;
    this.folder = `${root}build/bench`;
    this.binary = `${this.folder}/bench/raw/sconce_raw_loop`;
    this.best = {};
  }

  /** Builds the loop against the libtorch that the addon uses; seconds when nothing changed. */
  build() {
    const settings = ["-DSCONCE_PARTS=core", "-DSCONCE_BENCH=ON", `-DSCONCE_LIBTORCH=${this.libtorch}`];
    const generator = spawnSync("ninja", ["--version"]).status === 0 ? ["-G", "Ninja"] : [];
    if (!existsSync(this.binary)) console.error("building the raw loop");
    this.#run("cmake", ["-S", this.root, "-B", this.folder, ...generator, ...settings]);
    this.#run("cmake", ["--build", this.folder, "--target", "sconce_raw_loop", "-j", "2"]);
  }

  #run(command, args) {
    const done = spawnSync(command, args, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${command} failed:\n${done.stdout}\n${done.stderr}`);
  }

  /** The outputs for every sample, one at a time, by the plain form. */
  async answers() {
    const text = await this.#loop({ form: "plain", batch: 1, lanes: 1, threads: 1 }, ["--answers"]);
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  async #loop({ form, batch, lanes, threads }, extra) {
    const settings = { form, batch, lanes, threads, shape: this.scenario.input.shape.join(","), input: this.tensor };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return output(this.binary, [this.artifact, ...args, ...extra]);
  }

  async #rate(setting, seconds) {
    const text = await this.#loop(setting, ["--seconds", String(seconds)]);
    return JSON.parse(text.trim().split("\n").at(-1)).samples_per_second;
  }

  /** Every form, batch and split of the cores that a given number of requests in flight allows. */
  #settings(inFlight) {
    const cores = availableParallelism();
    const splits = [
      { lanes: 1, threads: cores },
      { lanes: cores, threads: 1 },
      { lanes: 1, threads: 1 },
    ];
    const batches = [1, 2, 4, 8, 16];
    return forms.flatMap((form) =>
      splits.flatMap((split) =>
        batches.filter((batch) => batch * split.lanes <= inFlight).map((batch) => ({ form, ...split, batch })),
      ),
    );
  }

  /** Measures all settings shortly once, and keeps the two best for each number in flight. */
  async explore() {
    const largest = Math.max(...this.scenario.raw.inFlight);
    const measured = [];
    for (const setting of this.#settings(largest)) {
      measured.push({ ...setting, rate: await this.#rate(setting, 1.5) });
      process.stderr.write(`\rraw loop: ${measured.length} settings measured `);
    }
    measured.sort((a, b) => b.rate - a.rate);
    for (const inFlight of this.scenario.raw.inFlight) {
      this.best[inFlight] = measured.filter((each) => each.batch * each.lanes <= inFlight).slice(0, 2);
    }
    return measured;
  }

  /** One interleaved round: for each number in flight the better of its two candidates. */
  async round(seconds) {
    const found = {};
    for (const [inFlight, candidates] of Object.entries(this.best)) {
      for (const setting of candidates) {
        const rate = await this.#rate(setting, seconds);
        const name = `${setting.form} ${setting.lanes}×${setting.threads} threads, batch ${setting.batch}`;
        if (rate > (found[inFlight]?.rate ?? 0)) found[inFlight] = { rate, setting: name };
      }
    }
    return found;
  }
}
