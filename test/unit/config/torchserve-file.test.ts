import { describe, expect, test } from "vitest";
import { optionRows } from "../../../src/config/options.js";
import { readTorchserve } from "../../../src/config/torchserve-file.js";
import { torchserveKeys } from "../../../src/config/torchserve-keys.js";

const read = (text: string, env: Record<string, string> = {}) => readTorchserve("c.properties", text, env);
const setting = (text: string, row: keyof typeof optionRows, env?: Record<string, string>) =>
  read(text, env).settings.get(optionRows[row]);

describe("config.properties", () => {
  test("a setting keeps file, line and key as its origin", () => {
    expect(setting("\njob_queue_size=7\n", "jobQueueSize")).toEqual({
      value: 7,
      origin: "c.properties:2 job_queue_size",
    });
  });

  test("the file of TorchServe's Docker image is read without a line of warning about what is honoured", () => {
    const text = [
      "inference_address=http://0.0.0.0:8080",
      "management_address=http://0.0.0.0:8081",
      "metrics_address=http://0.0.0.0:8082",
      "number_of_netty_threads=32",
      "job_queue_size=1000",
      "model_store=/home/model-server/model-store",
      "workflow_store=/home/model-server/wf-store",
    ].join("\n");
    const { settings, notes } = read(text);
    expect(settings.size).toBe(9);
    expect(notes.map(({ message }) => message)).toEqual([
      "c.properties:7: workflow_store is not used: Workflows are not served.",
    ]);
  });

  test("every key of TorchServe is honoured or answered with one line", () => {
    for (const { key, read: fill, here } of torchserveKeys) {
      const { notes } = fill === undefined ? read(`${key}=x`) : { notes: [] };
      expect(notes.map(({ message }) => message)).toEqual(
        fill === undefined ? [`c.properties:1: ${key} is not used: ${here}`] : [],
      );
    }
  });

  test("an unknown key and a repeated key are said", () => {
    expect(read("job_que_size=1").notes).toEqual([
      {
        level: "warn",
        message: "c.properties:1: job_que_size is no key of TorchServe or sconce (did you mean job_queue_size?)",
      },
    ]);
    const twice = read("job_queue_size=1\njob_queue_size=2");
    expect(twice.settings.get(optionRows.jobQueueSize)?.value).toBe(2);
    expect(twice.notes[0]?.message).toBe("c.properties:2: job_queue_size is given again; c.properties:1 has no effect");
  });

  test("$$NAME$$ is the environment variable, anywhere in a value", () => {
    const text = "inference_address=http://0.0.0.0:$$BIND_PORT$$";
    expect(setting(text, "port", { BIND_PORT: "9090" })?.value).toBe(9090);
    expect(() => read(text)).toThrow(
      "c.properties:1: inference_address: $$BIND_PORT$$ stands for the environment variable BIND_PORT, which is not set",
    );
  });

  test("TS_ variables win over the file, when the file allows them", () => {
    const env = { TS_JOB_QUEUE_SIZE: "5" };
    expect(setting("job_queue_size=7", "jobQueueSize", env)?.value).toBe(7);
    expect(setting("job_queue_size=7\nenable_envvars_config=true", "jobQueueSize", env)).toEqual({
      value: 5,
      origin: "TS_JOB_QUEUE_SIZE job_queue_size",
    });
    expect(setting("enable_envvars_config=true", "jobQueueSize", env)?.value).toBe(5);
    const allowed = { TS_ALLOWED_URLS: "file://.*" };
    expect(read("enable_envvars_config=true", allowed).notes).toEqual([]);
    expect(setting("enable_envvars_config=true", "allowedUrls", allowed)).toBeUndefined();
    expect(setting("enable_envvars_config=true\nuse_env_allowed_urls=true", "allowedUrls", allowed)?.value).toEqual([
      "file://.*",
    ]);
  });

  test.each([
    ["job_queue_size=lots", 'c.properties:1: job_queue_size: "lots" is not allowed; expected a whole number from 1 to'],
    [
      "model_store=/a\\u00g7",
      'c.properties:1: model_store: "\\\\u00g7" is not allowed; expected \\u and four hexadecimal',
    ],
    ["\n\nmodels={", 'c.properties:3: models: "{" is not allowed; expected JSON like'],
    [
      "inference_address=ftp://x",
      'c.properties:1: inference_address: "ftp://x" is not allowed; expected http(s)://HOST',
    ],
    [
      "enable_envvars_config=yes",
      'c.properties:1: enable_envvars_config: "yes" is not allowed; expected true or false',
    ],
  ])("%j names file, line, key, value and what is allowed", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  test("inference and management may share an address; metrics on it are refused with both lines", () => {
    const text = "inference_address=http://0.0.0.0:8085\nmanagement_address=http://0.0.0.0:8085";
    expect(read(text).settings.get(optionRows.managementPort)?.value).toBe(8085);
    expect(() => read(`${text}\nmetrics_address=http://0.0.0.0:8085`)).toThrow(
      /c.properties:3 metrics_address: the same address as line \d \w+; metrics has a port of its own/,
    );
  });
});
