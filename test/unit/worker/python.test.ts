import { describe, expect, test } from "vitest";
import { askPython, neededPackages, plainEnvironment, suitable, workerFiles } from "../../../src/worker/python.js";

const all = Object.fromEntries(Object.keys(neededPackages).map((name) => [name, "1.0"]));
const facts = { executable: "/opt/py/bin/python", version: "3.11.2", found: all, home: "/opt/py/site" };

describe("suitable", () => {
  test("a Python with everything", () => {
    const python = suitable("python3", { ...facts, found: { ...all, torch: "2.13.0", torchserve: "0.12.0" } });
    expect(python).toEqual({
      executable: "/opt/py/bin/python",
      version: "3.11.2",
      torch: "2.13.0",
      torchserve: "0.12.0",
      home: "/opt/py/site",
    });
    expect(workerFiles(python)).toEqual({
      program: "/opt/py/site/ts/model_service_worker.py",
      metrics: "/opt/py/site/ts/configs/metrics.yaml",
    });
  });

  test("metrics of the operator's", () => {
    const python = { ...suitable("python3", facts), metrics: "/etc/metrics.yaml" };
    expect(workerFiles(python).metrics).toBe("/etc/metrics.yaml");
  });

  test("what is missing is said, with the command that adds it", () => {
    const found = { ...all, torch: null, torchserve: null };
    expect(() => suitable("python3", { ...facts, found, home: null })).toThrow(
      /--python names \(python3\) cannot run it: it lacks torch, torchserve; add with: \/opt\/py\/bin\/python -m pip install torch torchserve$/,
    );
    expect(() => suitable("python3", { ...facts, home: null })).toThrow(/it lacks torchserve;/);
  });

  test.each(["2.7.18", "3.7.9"])("Python %s is too old", (version) => {
    expect(() => suitable("python", { ...facts, version })).toThrow(/need 3\.8 or newer/);
  });
});

describe("askPython", () => {
  test("a Python says what it has", async () => {
    const found = await askPython("python3");
    expect(found.version).toMatch(/^3\.\d+\.\d+$/);
    expect(Object.keys(found.found)).toEqual(Object.keys(neededPackages));
    expect(found.executable).toMatch(/^\//);
  });

  test.each([
    ["/nowhere/python", /there is no such program/],
    ["/bin/true", /it did not say what it has/],
    ["/bin/false", /cannot run it: /],
  ])("%s", async (command, words) => {
    await expect(askPython(command)).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(words) as unknown,
    });
  });
});

test("the plain environment holds a path and a language, nothing of the server's", () => {
  expect(plainEnvironment({ PATH: "/x", AWS_SECRET_ACCESS_KEY: "s", HOME: "/h" })).toEqual({
    PATH: "/x",
    LANG: "C.UTF-8",
  });
  expect(plainEnvironment({})["PATH"]).toContain("/usr/bin");
});
