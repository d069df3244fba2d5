import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { optionKeys, optionRows, type OptionRow } from "../../../src/config/options.js";
import { isLoopback, resolveServe, strangeVariables } from "../../../src/config/resolve.js";
import { fromText, type Kind } from "../../../src/config/values.js";

interface Given {
  readonly env?: Record<string, string>;
  readonly file?: string;
}

function resolve(words: readonly string[], given: Given = {}) {
  return resolveServe({
    words: given.file === undefined ? words : [...words, "--config", "c.yaml"],
    env: given.env ?? {},
    machine: { cores: 4, logToTerminal: false },
    readFile: (path) => {
      if (path === "c.yaml" && given.file !== undefined) return given.file;
      throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    },
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
    string: () => ["one", "two"],
    list: () => ["a.mar,b.mar", "c.mar"],
    boolean: () => ["true", "false"],
    integer: () => ["7", "9"],
    duration: () => ["5s", "6s"],
    size: () => ["5k", "6k"],
    choice: (kind) => (kind.type === "choice" ? [kind.choices[0]!, kind.choices[1]!] : ["", ""]),
    rising: () => ["1,2", "3,4"],
  };

  test.each(optionKeys)("%s: flag over environment over file over default", (key) => {
    const row: OptionRow = optionRows[key];
    const [a, b] = pairs[row.kind.type](row.kind);
    const base = ["--model-store", "s", "--insecure"].filter((each) => key !== "insecure" || each !== "--insecure");
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
    });
    expect(resolved.config.port).toBe(1);
  });

  test.each<[string[], Given, RegExp]>([
    [["--port", "70000"], {}, /^--port: "70000" is not allowed; expected a whole number from 0 to 65535$/],
    [["--port", "http"], {}, /--port: "http"/],
    [["--prot", "1"], {}, /unknown option --prot \(did you mean --port\?\)/],
    [[], { env: { SCONCE_PORT: "x" } }, /^SCONCE_PORT: "x" is not allowed/],
    [[], { file: "\nprot: 1" }, /^c\.yaml:2: unknown option "prot" \(did you mean port\?\)/],
    [[], { file: "\n\nport: [1]" }, /^c\.yaml:3: port: \[1\] is not allowed/],
    [[], { file: "config: other.yaml" }, /unknown option "config"/],
    [[], { file: "- a" }, /expected "option: value" lines/],
    [[], { file: "port: 1\nport: 2" }, /c\.yaml: .*unique/],
    [[], { file: "a: &a [x,x]\nb: {" }, /c\.yaml: /],
    [["--config", "missing.yaml"], {}, /--config missing\.yaml: ENOENT/],
    [["--models", "all"], {}, /--models all needs --model-store/],
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
