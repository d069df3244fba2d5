/**
 * One order of open, load, predict, unload, exit, given as words:
 *   open · load · publish · channel · predict · send (lane, not awaited) · close · remove · discard · gc · exit · throw
 */
import { readdirSync, readFileSync } from "node:fs";
import { check, client, done, openEngine, options, specOf } from "./common.mjs";

let engine;
let lane;
let loads = 0;
const clients = [];
const cell = new Int32Array(new SharedArrayBuffer(4));

const threads = () =>
  readdirSync("/proc/self/task").flatMap((id) => {
    try {
      return [readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim()];
    } catch {
      return []; // it ended meanwhile
    }
  });

const steps = {
  open: () => (engine = openEngine(options)),
  load: async () => {
    lane = `lane-${++loads}`;
    await engine.load(specOf("echo", { version: `${loads}` }), `echo-${loads}`);
    await engine.load(specOf("slow", { version: `${loads}`, executor: "lane" }), lane);
  },
  loading: () => void engine.load(specOf("slow", { version: "late" }), "late").catch(() => undefined),
  publish: () => {
    engine.publish(`echo-${loads}`);
    engine.publish(lane);
  },
  discard: () => {
    engine.discard(`echo-${loads}`);
    engine.discard(lane);
  },
  channel: () => clients.push(client(engine)),
  predict: async () => {
    for (const each of clients) {
      const { code, answer } = await each.predict("echo", [1, 2, 3, 4]);
      check(code === 0 && JSON.parse(answer)[3] === 4, `echo: ${code} ${answer}`);
    }
  },
  send: () => {
    for (const each of clients) for (let i = 0; i < 5; ++i) void each.send("slow", [1, 2, 3, 4]);
  },
  turn: () => {
    for (const each of clients) void each.send("echo", [1, 2, 3, 4]); // gathered, never flushed
  },
  close: () => clients.splice(0).forEach((each) => each.channel.close()),
  remove: async () => {
    await engine.remove("echo", `${loads}`, 10_000);
    await engine.remove("slow", `${loads}`, 10_000);
  },
  removing: () => void engine.remove("slow", `${loads}`, 1),
  gc: () => globalThis.gc?.(),
  // The runtime's exit() destroys libtorch's static objects; a lane that still runs a model then crashes the process.
  exit: () => {
    process.once("exit", () => {
      // The kernel lists a thread for a moment after it was joined.
      const lanes = () => threads().filter((name) => name === "sconce-lane").length;
      for (let tries = 0; tries < 200 && lanes() > 0; ++tries) Atomics.wait(cell, 0, 0, 5);
      if (lanes() > 0) done(`${lanes()} lanes are left`);
    });
    done();
    process.exit(0);
  },
};

for (const word of process.argv.slice(2)) await steps[word]();
done();
