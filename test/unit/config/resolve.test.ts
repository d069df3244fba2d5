import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { optionKeys, optionRows, type OptionRow } from "../../../src/config/options.js";
import { isLoopback, openToAll, resolveServe, strangeVariables } from "../../../src/config/resolve.js";
import { fromText, type Kind } from "../../../src/config/values.js";

interface Given {
  readonly env?: Record<string, string>;
  /** c.yaml, which --config names. */
  readonly file?: string;
  /** What else lies in the working directory. */
  readonly files?: Record<string, string>;
  /** The newest snapshot by folder. */
  readonly snapshots?: Record<string, string>;
  readonly torchserve?: boolean;
}

function resolve(words: readonly string[], given: Given = {}) {
  return resolveServe({
    words: given.file === undefined ? words : [...words, "--config", "c.yaml"],
    env: given.env ?? {},
    machine: { cores: 4, logToTerminal: false },
    readFile: (path) => {
      const text = path === "c.yaml" ? given.file : given.files?.[path];
      if (text !== undefined) return text;
      throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    },
    exists: (path) => given.files?.[path] !== undefined,
    newestSnapshot: (folder) => given.snapshots?.[folder],
    torchserve: given.torchserve === true,
  });
}
const config = (words: readonly string[], given: Given = {}) => resolve(words, given).config;

describe("resolveServe", () => {
  test("defaults are those of the issue", () => {
    expect(config([])).toMatchObject({
      positional: [],
      modelStore: undefined,
      models: [],
      host: "127.0.0.1",
      managementHost: "127.0.0.1",
      metricsHost: "127.0.0.1",
      port: 8080,
      managementPort: 8081,
      metricsPort: 8082,
      responseTimeoutMs: 120_000,
      maxRequestSize: 64 * 1024 * 1024,
      drainDelayMs: 0,
      drainTimeoutMs: 30_000,
      supervise: false,
      cores: 4,
      httpThreads: 2,
      logFormat: "json",
    });
  });

  /** Two values of each kind that differ from each other. */
  const pairs: Record<Kind["type"], (kind: Kind) => [string, string]> = {
    string: (kind) => (kind.type === "string" && kind.shape ? ["/one", "/two"] : ["one", "two"]),
    list: (kind) => (kind.type === "list" && kind.each ? ["10.0.0.1,::1", "10.0.0.0/8"] : ["a.mar,b.mar", "c.mar"]),
    boolean: () => ["true", "false"],
    integer: () => ["7", "9"],
    port: () => ["7", "off"],
    duration: () => ["5s", "6s"],
    size: () => ["5k", "6k"],
    choice: (kind) => (kind.type === "choice" ? [kind.choices[0]!, kind.choices[1]!] : ["", ""]),
    rising: () => ["1,2", "3,4"],
    modelSnapshot: () => ['{"models":{}}', '{"models":{"m":{"1.0":{"marName":"/m.mar"}}}}'],
    modelSettings: () => ['{"m":{"1.0":{"batchSize":2}}}', '{"m":{"1.0":{"batchSize":3}}}'],
  };

  test.each(optionKeys)("%s: flag over environment over file over default", (key) => {
    const row: OptionRow = optionRows[key];
    const [a, b] = pairs[row.kind.type](row.kind);
    const base = ["--model-store", "s", "--insecure"].filter((each) => key !== "insecure" || each !== "--insecure");
    if (key === "pollModelStoreMs") base.push("--models=all");
    if (key === "watch") base.push("folder");
    const words = key === "modelStore" ? [] : base;
    const read = (extra: string[], given: Given = {}) => config([...words, ...extra], given)[key] as unknown;
    const asFlag = (text: string) => [`--${row.flag}=${text}`];
    const file = (text: string) => `${row.fileKey}: ${JSON.stringify(text)}`;
    expect(read([], { file: file(a) })).toEqual(fromText(row.kind, a));
    expect(read([], { file: file(a), env: { [row.env]: b } })).toEqual(fromText(row.kind, b));
    expect(read(asFlag(a), { file: file(b), env: { [row.env]: b } })).toEqual(fromText(row.kind, a));
  });

  test("a file may write flags' names, numbers, lists and booleans as YAML has them", () => {
    const file = "port: 9\nmax-request-size: 10\nmodels: [a.mar, b.mar]\nmodelStore: s\nstrict: true\n";
    expect(config([], { file })).toMatchObject({
      port: 9,
      maxRequestSize: 10,
      models: ["a.mar", "b.mar"],
      strict: true,
    });
    expect(config([], { file: "# nothing\n" }).port).toBe(8080);
  });

  test("environment alone can name the file", () => {
    const resolved = resolveServe({
      words: [],
      env: { SCONCE_CONFIG: "x.yaml" },
      machine: { cores: 1, logToTerminal: true },
      readFile: () => "port: 1",
      exists: () => false,
    });
    expect(resolved.config.port).toBe(1);
  });

  test("files of the working directory are read unnamed, sconce.yaml before config.properties", () => {
    const files = { "sconce.yaml": "port: 1", "config.properties": "inference_address=http://127.0.0.1:2" };
    const both = resolve([], { files });
    expect(both).toMatchObject({ config: { port: 1 }, torchserve: false, files: ["sconce.yaml"] });
    expect(both.notes[0]?.message).toMatch(/^config\.properties is not read: sconce\.yaml is there/);
    const torchserve = resolve([], { files: { "config.properties": files["config.properties"] } });
    expect(torchserve).toMatchObject({ config: { port: 2 }, torchserve: true, files: ["config.properties"] });
    const named = resolve(["--ts-config", "config.properties"], { files });
    expect(named).toMatchObject({ config: { port: 2 }, torchserve: true, files: ["config.properties"] });
  });

  test("TS_CONFIG_FILE wins over --ts-config; a yaml file wins over both", () => {
    const files = { "a.properties": "job_queue_size=3\ninference_address=http://127.0.0.1:3", "b.properties": "" };
    const given = { files, file: "port: 4", env: { TS_CONFIG_FILE: "a.properties" } };
    expect(resolve(["--ts-config", "b.properties"], given).config).toMatchObject({ port: 4, jobQueueSize: 3 });
    expect(() => resolve([], { env: { TS_CONFIG_FILE: "none" } })).toThrow(/^TS_CONFIG_FILE none: ENOENT/);
  });

  test("every setting says where it came from", () => {
    const given = { env: { SCONCE_STRICT: "1" }, file: "\nmanagementPort: 9" };
    const { settings } = resolve(["--port", "1"], given);
    const origins = (["port", "strict", "managementPort", "metricsPort", "cores"] as const).map(
      (key) => settings.get(key)?.origin,
    );
    expect(origins).toEqual([
      "--port",
      "SCONCE_STRICT",
      "c.yaml:2",
      "default",
      "default: those of the cgroup and the CPU affinity",
    ]);
    expect(settings.has("modelStore")).toBe(false);
  });

  test("keys are asked for when TorchServe's configuration is there; switching that off counts as --insecure", () => {
    const files = { "config.properties": "management_address=http://0.0.0.0:8081" };
    expect(config([]).tokenAuth).toBe(false);
    expect(config([], { files })).toMatchObject({ tokenAuth: true, compat: "torchserve" });
    expect(openToAll(resolve([], { files }))).toBeUndefined();
    for (const words of [["--disable-token-auth"], ["--dt"], ["--no-token-auth"]]) {
      const off = resolve(words, { files });
      expect(off.config.tokenAuth).toBe(false);
      expect(openToAll(off)).toMatch(/^TOKEN AUTHORIZATION IS OFF: anybody who reaches this machine/);
    }
    const off = { "config.properties": "disable_token_authorization=true" };
    expect(openToAll(resolve([], { files: off }))).toMatch(/anybody on this machine/);
    expect(openToAll(resolve([]))).toBeUndefined();
    expect(openToAll(resolve(["--host", "0.0.0.0"]))).toMatch(/^TOKEN AUTHORIZATION IS OFF/);
    expect(config(["--management-host", "0.0.0.0", "--token-auth"]).tokenAuth).toBe(true);
  });

  test.each<[string[], Given, RegExp]>([
    [["--compat", "torchsrve"], {}, /expected torchserve, sconce \(did you mean torchserve\?\)$/],
    [["--port", "70000"], {}, /^--port: "70000" is not allowed; expected a whole number from 0 to 65535$/],
    [["--port", "http"], {}, /--port: "http"/],
    [["--prot", "1"], {}, /unknown option --prot \(did you mean --port\?\)/],
    [[], { env: { SCONCE_PORT: "x" } }, /^SCONCE_PORT: "x" is not allowed/],
    [[], { file: "\nprot: 1" }, /^c\.yaml:2: unknown option "prot" \(did you mean port\?\)/],
    [[], { file: "\n\nport: [1]" }, /^c\.yaml:3: port: \[1\] is not allowed/],
    [[], { file: "config: other.yaml" }, /unknown option "config"/],
    [[], { file: "port: 1\nmanagement-port: 2\nmanagementPort: 3" }, /^c\.yaml:3: managementPort is given twice$/],
    [[], { file: "modelSettings: {m: {1: {x: 1}}}" }, /^c\.yaml:1: modelSettings: .* expected JSON like/],
    [[], { files: { "config.properties": "job_queue_size=x" } }, /^config\.properties:1: job_queue_size: "x" is not/],
    [[], { file: "- a" }, /expected "option: value" lines/],
    [[], { file: "port: 1\nport: 2" }, /c\.yaml: .*unique/],
    [[], { file: "a: &a [x,x]\nb: {" }, /c\.yaml: /],
    [["--config", "missing.yaml"], {}, /--config missing\.yaml: ENOENT/],
    [["--models", "all"], {}, /^--models: all needs --model-store/],
    [["--management-host", "0.0.0.0"], {}, /--insecure/],
    [["--response-timeout", "0"], {}, /--response-timeout: "0".*1 ms to 24 h/],
  ])("%j %j is refused in words", (words, given, message) => {
    expect(() => resolve(words, given)).toThrow(message);
  });

  test("whatever the words, it resolves or says UsageError", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("--port", "--models", "--", "-", "--strict", "--port=1", "--no-strict"),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        try {
          resolve(words);
        } catch (error) {
          expect((error as Error).name).toBe("UsageError");
        }
      }),
    );
  });
});

test("a secret's file beside a flag, or over a file's key: what wins is said, without the secret", () => {
  const given = { env: { SCONCE_KEYSTORE_PASS_FILE: "/s" }, files: { "/s": "inner" } };
  const told = (words: readonly string[], file?: string) => {
    const { config, notes } = resolve(words, file === undefined ? given : { ...given, file });
    return [config.keystorePass, ...notes.map(({ level, message }) => `${level}: ${message}`)];
  };
  expect(told([])).toEqual(["inner"]);
  expect(told(["--keystore-pass", "flag"])).toEqual([
    "flag",
    "warn: --keystore-pass wins over SCONCE_KEYSTORE_PASS_FILE: the secret is set twice",
  ]);
  expect(told([], "keystorePass: yaml")).toEqual([
    "inner",
    "warn: SCONCE_KEYSTORE_PASS_FILE wins over c.yaml:1: the secret is set twice",
  ]);
});

test("a variable that is no option is noticed", () => {
  expect(strangeVariables({ SCONCE_PROT: "1", PATH: "x", SCONCE_PORT: "1", SCONCE_CACHE_DIR: "/x" })).toEqual([
    "the environment variable SCONCE_PROT is no option of sconce (did you mean SCONCE_PORT?)",
  ]);
});

test.each([
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["127.0.0.1.example.org", false],
  ["192.168.1.2", false],
])("isLoopback(%s) is %s", (host, loopback) => expect(isLoopback(host)).toBe(loopback));

describe("snapshots", () => {
  const kept = (name: string): string => `model_snapshot={"models":{"${name}":{"1.0":{"marName":"${name}.mar"}}}}`;
  const newest = "n/20260101000000000-startup.cfg";
  const files = { [newest]: `${kept("kept")}\njob_queue_size=7\nmodel_store=/store\n` };
  const given = { torchserve: true, files, snapshots: { "logs/config": newest } };
  const models = (found: ReturnType<typeof config>): string[] => Object.keys(found.modelSnapshot?.models ?? {});

  test("the newest one is read when started as torchserve, and said so", () => {
    const found = resolve(["--models", "all"], given);
    expect(found.config).toMatchObject({ jobQueueSize: 7, modelStore: "/store" });
    expect(models(found.config)).toEqual(["kept"]);
    expect(found.files).toEqual([newest]);
    expect(found.notes.map((note) => note.message).join()).toContain("wins over --models");
  });

  test("its models win over config.properties, whose other keys win over it", () => {
    const properties = { "config.properties": `${kept("old")}\njob_queue_size=9` };
    const found = config([], { ...given, files: { ...files, ...properties } });
    expect(models(found)).toEqual(["kept"]);
    expect(found.jobQueueSize).toBe(9);
  });

  test.each<[string, string[], Record<string, string>]>([
    ["--ncs", ["--ncs"], {}],
    ["--ts-config", ["--ts-config", "ts.properties"], {}],
    ["TS_CONFIG_FILE", [], { TS_CONFIG_FILE: "ts.properties" }],
    ["--model-snapshot", ["--model-snapshot", '{"models":{}}'], {}],
  ])("%s begins without it", (_, words, env) => {
    const found = config(words, { ...given, env, files: { ...files, "ts.properties": "" } });
    expect(models(found)).toEqual([]);
  });

  test("the folder follows --log-folder and LOG_LOCATION; sconce serve looks only when told", () => {
    const snapshots = { "f/config": newest, "l/config": newest, s: newest };
    const at = { ...given, snapshots };
    expect(models(config(["--log-folder", "f"], at))).toEqual(["kept"]);
    expect(models(config([], { ...at, env: { LOG_LOCATION: "l" } }))).toEqual(["kept"]);
    expect(models(config(["--snapshot-folder", "s"], { ...at, torchserve: false }))).toEqual([]);
    expect(models(config(["--snapshot-folder", "s", "--config-snapshots"], { ...at, torchserve: false }))).toEqual([
      "kept",
    ]);
  });

  test("a broken one ends the start with its file and line; so does one whose store is not known", () => {
    const broken = { ...given, files: { [newest]: "model_snapshot={" } };
    expect(() => config([], broken)).toThrow(/20260101000000000-startup.cfg:1: model_snapshot: .* expected JSON like/);
    const homeless = { ...given, files: { [newest]: kept("kept") } };
    expect(() => config([], homeless)).toThrow(/kept.mar needs --model-store/);
  });
});

describe("logs", () => {
  const logs = (words: readonly string[], given: Given = {}) => {
    const { logFolder, metricsLogFolder, accessLog, logFormat, metricsMode, snapshotFolder } = config(words, given);
    return { logFolder, metricsLogFolder, accessLog, logFormat, metricsMode, snapshotFolder };
  };

  test("sconce has no files unless told, whatever TorchServe's variables say", () => {
    const env = { LOG_LOCATION: "l", METRICS_LOCATION: "m" };
    const none = {
      logFolder: undefined,
      metricsLogFolder: undefined,
      accessLog: "off",
      logFormat: "json",
      metricsMode: "prometheus",
    };
    expect(logs([], { env })).toMatchObject(none);
    expect(logs(["--ts-config", "t"], { env, files: { t: "" } })).toMatchObject(none);
    expect(logs(["--log-folder", "f"], { env })).toMatchObject({ logFolder: "f", metricsLogFolder: "f" });
    const apart = { logFolder: undefined, metricsLogFolder: "m" };
    expect(logs(["--metrics-log-folder", "m"])).toMatchObject(apart);
  });

  test("the command torchserve has TorchServe's", () => {
    const torchserve = true;
    const given = { accessLog: "all", logFormat: "torchserve", metricsMode: "log" };
    expect(logs([], { torchserve })).toEqual({
      ...given,
      logFolder: "logs",
      metricsLogFolder: "logs",
      snapshotFolder: "logs/config",
    });
    expect(logs([], { torchserve, env: { LOG_LOCATION: "l", METRICS_LOCATION: "m" } })).toEqual({
      ...given,
      logFolder: "l",
      metricsLogFolder: "m",
      snapshotFolder: "l/config",
    });
    expect(logs(["--log-folder", "f"], { torchserve })).toMatchObject({ logFolder: "f", metricsLogFolder: "f" });
    const words = ["--log-folder", "f", "--access-log", "off", "--log-format", "json"];
    expect(logs(words, { torchserve, env: { METRICS_LOCATION: "m" } })).toMatchObject({
      accessLog: "off",
      logFormat: "json",
      logFolder: "f",
      metricsLogFolder: "m",
    });
  });
});

test("Netty's threads are one per core at most; what sconce's own options say holds", () => {
  const netty = (count: number): Given => ({ files: { "config.properties": `number_of_netty_threads=${count}` } });
  const { config: found, settings } = resolve([], netty(32));
  expect(found.httpThreads).toBe(4);
  expect(settings.get("httpThreads")?.origin).toBe(
    "config.properties:1 number_of_netty_threads=32, one per core at most",
  );
  expect(config([], netty(3)).httpThreads).toBe(3);
  expect(config(["--http-threads", "32"], netty(1)).httpThreads).toBe(32);
});
