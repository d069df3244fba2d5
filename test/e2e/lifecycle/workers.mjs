/** Worker threads that share the process's engine: come and go, end in flight, predict together. argv[2] says which. */
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { check, client, done, engineWith, openEngine, specOf } from "./common.mjs";

const here = new URL(import.meta.url);

function start(task) {
  const worker = new Worker(here, { workerData: task });
  const failed = new Promise((_, reject) => worker.once("error", reject));
  const message = new Promise((resolve) => worker.once("message", resolve));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  return { worker, message: Promise.race([message, failed]), ended };
}

const inWorker = {
  async predict() {
    const engine = openEngine();
    const me = client(engine);
    for (let i = 0; i < 20; ++i) {
      const fast = await me.predict("echo", [i, 0, 0, workerData.number]);
      check(fast.code === 0 && fast.answer.includes(`${i}`), `echo: ${fast.code} ${fast.answer}`);
    }
    const slow = await me.predict("slow", [1, 2, 3, workerData.number]);
    check(slow.code === 0 && JSON.parse(slow.answer)[3] === workerData.number, `slow: ${slow.answer}`);
    if (workerData.close) me.channel.close();
    parentPort.postMessage("ok");
  },
  async flight() {
    const me = client(openEngine());
    for (let i = 0; i < 10; ++i) void me.send("slow", [1, 2, 3, 4]);
    void me.send("echo", [1, 2, 3, 4]); // in a turn that never ends
    parentPort.postMessage("in flight");
    await sleep(60_000);
  },
  async idle() {
    const me = client(openEngine());
    await me.predict("echo", [1, 2, 3, 4]);
    parentPort.postMessage("ok");
  },
};

const models = () => engineWith(specOf("echo"), specOf("slow", { executor: "lane", instances: 2 }));

const inMain = {
  async together() {
    await models();
    const all = [1, 2, 3].map((number) => start({ task: "predict", number, close: number === 2 }));
    await Promise.all(all.map((each) => each.message));
    await Promise.all(all.map((each) => each.ended));
  },
  async fifty() {
    await models();
    for (let round = 0; round < 10; ++round) {
      const all = [0, 1, 2, 3, 4].map(() => start({ task: "idle" }));
      await Promise.all(all.map((each) => each.message));
      await Promise.all(all.map((each) => (round % 2 ? each.worker.terminate() : each.ended)));
    }
  },
  async flight() {
    const engine = await models();
    const me = client(engine);
    for (let round = 0; round < 5; ++round) {
      const one = start({ task: "flight" });
      await one.message;
      await sleep(round * 20);
      await one.worker.terminate();
    }
    // Their tasks were cancelled: the lanes come free and the model can be unloaded.
    const { code } = await me.predict("slow", [1, 2, 3, 4]);
    check(code === 0, `slow after the workers: ${code}`);
    check(await engine.remove("slow", "1.0", 10_000), "the workers' tasks still pin the model");
    const stats = engine.stats();
    check(stats.length === 1 && stats[0].inFlight === 0, JSON.stringify(stats.map((each) => each.inFlight)));
  },
  async unload() {
    const engine = await models();
    const one = start({ task: "idle" });
    await one.message;
    const two = start({ task: "predict", number: 2, close: true });
    await two.message;
    check(await engine.remove("echo", "1.0", 10_000), "a channel's scratch keeps the removed model");
    await engine.load(specOf("echo"), "again");
    engine.publish("again");
    const { model } = await client(engine).predict("echo", [1, 2, 3, 4]);
    check(model === "echo/1.0", model);
  },
  async exit() {
    await models();
    const one = start({ task: "flight" });
    await one.message;
    done();
    process.exit(0);
  },
};

if (isMainThread) {
  await inMain[process.argv[2]]();
  done();
} else {
  await inWorker[workerData.task]();
}
