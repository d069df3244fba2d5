import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { optionKeys, optionRows } from "../../../src/config/options.js";
import type { ServeConfig } from "../../../src/config/serve-config.js";
import type { Engine } from "../../../src/engine/engine.js";
import { openFakeEngine } from "../../../src/engine/fake.js";
import { ServerError } from "../../../src/errors.js";
import { createModelManager, type ManagerOptions } from "../../../src/models/manager.js";
import type { Announce, RegisterRequest } from "../../../src/models/models.js";
import type { Prepare } from "../../../src/models/prepare.js";
import { silentLog } from "../../../src/telemetry/log.js";
import type { ModelSpec } from "../../../src/types.js";

/** "name@version:file" stands for an archive; file says what the fake engine makes of it ("bad…" does not even open). */
function specOf(path: string): ModelSpec {
  const [, name = "m", version = "1.0", artifact = "echo"] = /^(\w+)@([\d.]+):(\w+)$/.exec(path) ?? [];
  return {
    name,
    version,
    artifact,
    kind: "torchscript",
    sha256: "",
    signature: { declared: false, inputs: [], outputs: [] },
    handler: { name: "base_handler", topK: 5 },
    maxBatchDelayMs: 0,
    jobQueueSize: 10,
    responseTimeoutMs: 1000,
    instances: 0,
    executor: "auto",
    stateful: false,
    maxInstances: 10,
    source: path,
  };
}

const prepare: Prepare = async ({ path, signal, onSpec, said }) => {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
  if (path.includes(":bad")) throw new ServerError("invalid_model", `${path}: not an archive`);
  const spec = { ...specOf(path), instances: said?.workers ?? 0 };
  onSpec(spec);
  await new Promise((resolve) => setImmediate(resolve));
  return spec;
};

const done = () => Promise.resolve();
const silent: Announce = { handler: done, defaultVersion: done, withdraw: done, visible: done };
const asked = (url: string, changes: Partial<RegisterRequest> = {}): RegisterRequest => ({
  url,
  workers: 1,
  wait: true,
  ...changes,
});

function make(positional: string[] = [], options: Partial<ManagerOptions> = {}, given: Partial<ServeConfig> = {}) {
  const defaults = Object.fromEntries(optionKeys.map((key) => [key, optionRows[key].fallback]));
  const config = { ...defaults, configSnapshots: false, positional, ...given } as unknown as ServeConfig;
  const engine = openFakeEngine();
  const announced: string[] = [];
  const announce: Announce = {
    ...silent,
    handler: (name, version) => {
      // Nothing may be routed before every thread knows its handler.
      expect(routed(engine)).not.toContain(`${name}@${version}`);
      announced.push(`${name}@${version}`);
      return Promise.resolve();
    },
  };
  const store = { locate: (url: string) => Promise.resolve(url) };
  const manager = createModelManager({ engine, announce, config, log: silentLog, prepare, store, ...options });
  return { engine, manager, announced };
}

const routed = (engine: Engine) => engine.stats().map(({ name, version }) => `${name}@${version}`);
const defaultOf = (engine: Engine, name: string) =>
  engine.stats().find((each) => each.name === name && each.isDefault)?.version;

describe("start", () => {
  test("nothing configured is empty, once that is known", async () => {
    const { manager } = make();
    expect(manager.health()).toBe("unready");
    await manager.start();
    expect(manager.health()).toBe("empty");
  });

  test("announces, then publishes; says what it knows", async () => {
    const { manager, announced, engine } = make(["a@1.0:echo", "b@2.0:sum"]);
    const started = manager.start();
    await started;
    expect(manager.health()).toBe("healthy");
    expect(announced.sort()).toEqual(["a@1.0", "b@2.0"]);
    expect(routed(engine).sort()).toEqual(["a@1.0", "b@2.0"]);
    expect(manager.get("b")[0]).toMatchObject({
      version: "2.0",
      state: "ready",
      isDefault: true,
      loadedAtStartup: true,
    });
    expect(manager.loadCounts()).toEqual([{ trigger: "startup", outcome: "ok", count: 2 }]);
  });

  test("what it loads is listed once it has begun, and loaded once however often it is told to", async () => {
    const { manager, announced } = make(["a@1.0:echo", "b@1.0:echo"]);
    await manager.begin();
    expect(manager.list().map(({ state }) => state)).toEqual(["loading", "loading"]);
    await manager.begin();
    await manager.start();
    expect(announced.sort()).toEqual(["a@1.0", "b@1.0"]);
  });

  test("is unready while it loads", async () => {
    const { manager } = make(["a@1.0:echo"]);
    const started = manager.start();
    await new Promise((resolve) => setImmediate(resolve));
    expect(manager.health()).toBe("unready");
    expect(manager.list()[0]).toMatchObject({ state: "loading" });
    await started;
  });

  test.each(["a@1.0:bad", "a@1.0:broken"])("%s ends it with file and reason", async (path) => {
    const { manager } = make(["ok@1.0:echo", path]);
    await expect(manager.start()).rejects.toMatchObject({ name: "StartError", file: path });
    expect(
      manager
        .get("a")
        .concat(manager.list())
        .some((entry) => entry.state === "failed"),
    ).toBe(true);
  });

  test("the version named first is the default", async () => {
    const { manager, engine } = make(["m@2.0:echo", "m@1.0:echo"]);
    await manager.start();
    expect(defaultOf(engine, "m")).toBe("2.0");
    expect(manager.get("m").map((entry) => entry.isDefault)).toEqual([true, false]);
  });

  test("or the one that the operator's settings call the default", async () => {
    const modelSettings = { m: { "1.0": { defaultVersion: true } } };
    const { manager, engine } = make(["m@2.0:echo", "m@1.0:echo"], {}, { modelSettings });
    await manager.start();
    expect(defaultOf(engine, "m")).toBe("1.0");
  });

  test("the same version twice fails the second", async () => {
    const { manager } = make(["m@1.0:echo", "m@1.0:sum"]);
    await expect(manager.start()).rejects.toThrow(/already registered/);
  });

  test("stop while it loads cancels; the start says so", async () => {
    const { manager, engine } = make(["a@1.0:echo", "b@1.0:echo"]);
    const started = manager.start();
    await new Promise((resolve) => setImmediate(resolve));
    await manager.stop();
    await expect(started).rejects.toMatchObject({ code: "cancelled" });
    expect(routed(engine)).toEqual([]);
  });

  test("a thread that cannot be told leaves the model unpublished", async () => {
    const { manager, engine } = make(["a@1.0:echo"], {
      announce: { ...silent, handler: () => Promise.reject(new Error("thread gone")) },
    });
    await expect(manager.start()).rejects.toThrow(/thread gone/);
    expect(routed(engine)).toEqual([]);
  });
});

describe("register, unregister, setDefault", () => {
  test("a failed registration leaves no trace and the others alone", async () => {
    const { manager, engine } = make(["a@1.0:echo"]);
    await manager.start();
    await expect(manager.register(asked("b@1.0:broken"))).rejects.toMatchObject({ code: "invalid_model" });
    await expect(manager.register(asked("b@1.0:bad"))).rejects.toMatchObject({ code: "invalid_model" });
    await expect(manager.register(asked("a@1.0:sum"))).rejects.toMatchObject({ code: "conflict" });
    expect(manager.list()).toHaveLength(1);
    expect(manager.health()).toBe("healthy");
    expect(routed(engine)).toEqual(["a@1.0"]);
    expect(manager.loadCounts()).toContainEqual({ trigger: "management", outcome: "failed", count: 3 });
  });

  test("what is wrong with an archive of the store is said by its name there, not by its path", async () => {
    const path = "/srv/store/m@1.0:bad";
    const store = { locate: () => Promise.resolve(path) };
    const log: string[] = [];
    const error = (message: string, fields = {}): void => void log.push(`${message} ${JSON.stringify(fields)}`);
    const { manager } = make([], { store, log: { ...silentLog, error } });
    await manager.start();
    await expect(manager.register(asked("m.mar"))).rejects.toThrow(/^m\.mar: not an archive$/);
    expect(log.join()).toContain(`"source":"${path}"`);
  });

  test("a second version does not become the default; setDefault makes it so; then the first can go", async () => {
    const { manager, engine } = make(["m@1.0:echo"]);
    await manager.start();
    await manager.register(asked("m@2.0:echo"));
    expect(defaultOf(engine, "m")).toBe("1.0");
    await expect(manager.unregister("m", "1.0")).rejects.toMatchObject({ code: "default_version" });
    await manager.setDefault("m", "2.0");
    expect(defaultOf(engine, "m")).toBe("2.0");
    expect(await manager.unregister("m", "1.0")).toBe(true);
    expect(manager.get("m").map((entry) => entry.version)).toEqual(["2.0"]);
    expect(await manager.unregister("m", undefined)).toBe(true);
    expect(manager.health()).toBe("empty");
  });

  test("a version that clients of the default could not go on with becomes the default only when forced", async () => {
    const narrow: Prepare = async (request) => {
      const onSpec = (): void => undefined;
      const spec = await prepare({ ...request, onSpec });
      const inputs = [
        { name: "x", dtype: "float32", shape: [spec.version === "1.0" ? 4 : 5], optional: false },
      ] as const;
      const declared = { ...spec, signature: { declared: true, inputs, outputs: [] } };
      request.onSpec(declared);
      return declared;
    };
    const { manager, engine } = make(["m@1.0:echo"], { prepare: narrow });
    await manager.start();
    for (const version of ["2.0", "3.0"]) await manager.register(asked(`m@${version}:echo`));
    await expect(manager.setDefault("m", "2.0")).rejects.toMatchObject({
      code: "incompatible",
      message: expect.stringContaining("input x: shape [4] → [5]") as string,
    });
    expect(defaultOf(engine, "m")).toBe("1.0");
    expect(await manager.setDefault("m", "2.0", true)).toEqual(["input x: shape [4] → [5]"]);
    expect(defaultOf(engine, "m")).toBe("2.0");
    expect(await manager.setDefault("m", "3.0")).toEqual([]);
    // Back to what has served is no new risk.
    await manager.rollback("m");
    await manager.rollback("m");
    expect(defaultOf(engine, "m")).toBe("1.0");
  });

  test("remembers what happened to each version, the latest sixteen", async () => {
    const { manager } = make(["m@1.0:echo"]);
    await manager.start();
    await manager.register(asked("m@2.0:echo"));
    await manager.setDefault("m", "2.0");
    await manager.scale("m", "2.0", { min: 1, max: 3 }, true);
    const of = (version: string) =>
      manager
        .get("m")
        .find((each) => each.version === version)
        ?.events?.map(({ what }) => what);
    expect(of("1.0")).toEqual(["opened (startup)", "default version", "ready"]);
    expect(of("2.0")).toEqual(["opened (management)", "ready", "default version", "scaled, workers: 1 to 3"]);
    for (let i = 0; i < 20; i++) await manager.scale("m", "2.0", { min: 1, max: 1 }, true);
    expect(of("2.0")).toEqual(Array(16).fill("scaled, workers: 1"));
  });

  test("unknown names and versions", async () => {
    const { manager } = make(["m@1.0:echo"]);
    await manager.start();
    await expect(manager.unregister("x", undefined)).rejects.toMatchObject({ code: "model_not_found" });
    await expect(manager.unregister("m", "9")).rejects.toMatchObject({ code: "version_not_found" });
    await expect(manager.setDefault("m", "9")).rejects.toThrow("Model version 9 does not exist for model m");
  });

  test("workers: none at first, then as many as asked for; the bounds trim and raise", async () => {
    const { manager, engine } = make();
    await manager.start();
    const workers = () => engine.stats().find((each) => each.name === "m")?.instances;
    const entry = await manager.register(asked("m@1.0:echo", { workers: 0 }));
    expect(entry).toMatchObject({ state: "ready", workers: { min: 0, max: 0 }, workerTimes: [] });
    expect(workers()).toBe(0);
    expect(await manager.scale("m", undefined, { min: 3, max: 4 }, true)).toMatchObject({
      instances: 3,
      settled: true,
    });
    await manager.scale("m", "1.0", { min: 1, max: 2 }, false);
    expect(workers()).toBe(2);
    await manager.scale("m", "1.0", { min: 1, max: 5 }, false);
    expect(workers()).toBe(2);
    expect(manager.get("m")[0]?.workerTimes).toHaveLength(2);
    await expect(manager.scale("x", undefined, { min: 1, max: 1 }, true)).rejects.toMatchObject({
      code: "model_not_found",
    });
  });

  test("registering without waiting: refusals that the archive shows come at once, later ones in describe", async () => {
    const { manager } = make();
    await manager.start();
    await expect(manager.register(asked("m@1.0:bad", { wait: false }))).rejects.toMatchObject({
      code: "invalid_model",
    });
    expect(await manager.register(asked("m@1.0:broken", { wait: false }))).toMatchObject({ state: "loading" });
    await vi.waitFor(() =>
      expect(manager.get("m")[0]).toMatchObject({
        state: "failed",
        reason: expect.stringContaining("not a model") as string,
      }),
    );
    await expect(manager.scale("m", undefined, { min: 1, max: 1 }, true)).rejects.toMatchObject({ code: "no_workers" });
    // The next try takes its place.
    expect(await manager.register(asked("m@1.0:echo"))).toMatchObject({ state: "ready" });
    expect(manager.get("m").map((entry) => entry.state)).toEqual(["ready"]);
  });

  test("rollback goes back through earlier defaults that are still there", async () => {
    const { manager, engine } = make(["m@1.0:echo", "m@2.0:echo", "m@3.0:echo"]);
    await manager.start();
    await expect(manager.rollback("m")).rejects.toMatchObject({ code: "conflict" });
    await manager.setDefault("m", "2.0");
    await manager.setDefault("m", "3.0");
    expect(await manager.rollback("m")).toEqual({ from: "3.0", to: "2.0" });
    expect(defaultOf(engine, "m")).toBe("2.0");
    expect(await manager.rollback("m")).toEqual({ from: "2.0", to: "1.0" });
    await manager.setDefault("m", "3.0");
    await manager.unregister("m", "1.0");
    await expect(manager.rollback("m")).rejects.toMatchObject({ code: "conflict" });
    await expect(manager.rollback("x")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("unregistering a load ends it; who waited is told", async () => {
    const { manager, engine } = make();
    await manager.start();
    const waiting = manager.register(asked("m@1.0:echo")).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(manager.get("m")).toMatchObject([{ state: "loading" }]);
    expect(await manager.unregister("m", undefined)).toBe(true);
    expect(await waiting).toMatchObject({ code: "conflict" });
    expect([manager.list(), routed(engine)]).toEqual([[], []]);
  });

  test("after stop nothing is registered", async () => {
    const { manager } = make();
    await manager.start();
    await manager.stop();
    await expect(manager.register(asked("m@1.0:echo"))).rejects.toMatchObject({ code: "draining" });
  });
});

test("whatever is registered, removed and chosen at once: the engine routes exactly what is listed as ready", async () => {
  const name = fc.constantFrom("a", "b");
  const version = fc.constantFrom("1.0", "2.0", "3.0");
  const file = fc.constantFrom("echo", "echo", "sum", "bad", "broken");
  const action = fc.oneof(
    fc.record({ kind: fc.constant("register" as const), name, version, file, wait: fc.boolean() }),
    fc.record({ kind: fc.constant("unregister" as const), name, version, wait: fc.boolean() }),
    fc.record({ kind: fc.constant("default" as const), name, version, wait: fc.boolean() }),
  );
  const property = fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
    const { manager, engine } = make();
    await manager.start();
    const running: Promise<unknown>[] = [];
    for (const each of actions) {
      const act = async (): Promise<unknown> => {
        if (each.kind === "register") return manager.register(asked(`${each.name}@${each.version}:${each.file}`));
        if (each.kind === "unregister") return manager.unregister(each.name, each.version);
        return manager.setDefault(each.name, each.version);
      };
      // Every refusal is one of the table's codes.
      const done = act().catch((error: unknown) => expect(error).toBeInstanceOf(ServerError));
      if (each.wait) await done;
      else running.push(done);
    }
    await Promise.all(running);
    const listed = manager.list();
    expect(listed.every((entry) => entry.state === "ready")).toBe(true);
    expect(listed.map((entry) => `${entry.name}@${entry.version}`).sort()).toEqual(routed(engine).sort());
    for (const each of new Set(listed.map((entry) => entry.name))) {
      const marked = listed.filter((entry) => entry.name === each && entry.isDefault).map((entry) => entry.version);
      expect(marked).toEqual([defaultOf(engine, each)]);
    }
  });
  await fc.assert(property, { numRuns: 200 });
});

test("a failure names the model as clients do, also where the model store was given by a relative path", async () => {
  const store = { locate: (url: string) => Promise.resolve(`store/${url}`) };
  const broken: Prepare = ({ path }) =>
    Promise.reject(new ServerError("invalid_model", `${resolve(path)}/model.pt: no tensor (${path})`));
  const { manager } = make([], { store, prepare: broken });
  await expect(manager.register(asked("m"))).rejects.toThrow(/^m\/model\.pt: no tensor \(m\)$/);
});
