import { expect, test } from "vitest";
import { migrate } from "../../../src/config/migrate.js";
import { optionKeys, optionRows, type OptionRow } from "../../../src/config/options.js";
import { readTorchserve } from "../../../src/config/torchserve-file.js";
import { readYaml } from "../../../src/config/yaml-file.js";

const rows: readonly OptionRow[] = optionKeys.map((key) => optionRows[key]);
const text = [
  "inference_address=http://0.0.0.0:$$PORT_OF_MINE$$",
  "model_store=/models",
  "load_models=a.mar,b=b.mar",
  'models={"a":{"1.0":{"batchSize":4,"maxBatchDelay":20}}}',
  "default_response_timeout=60",
  "max_request_size=6553500",
  "vmargs=-Xmx4g",
].join("\n");

test("what migrate writes reads back to the same settings", () => {
  const env = { PORT_OF_MINE: "9090" };
  const yaml = migrate("c.properties", text, env);
  const before = readTorchserve("c.properties", text, env).settings;
  const after = readYaml("sconce.yaml", yaml, rows);
  for (const [row, { value }] of before) expect(after.get(row)?.value, row.flag).toEqual(value);
  expect(yaml).toContain("# c.properties:7: vmargs is not used: There is no Java in this server.\n");
  expect(yaml).toContain("were replaced by their present values");
  expect(yaml).toContain("responseTimeout: 60 s\n");
});

test("Netty's threads are no number for this server", () => {
  const yaml = migrate("c.properties", "number_of_netty_threads=32", {});
  expect(yaml).toContain("# c.properties:1 number_of_netty_threads is left out: HTTP threads follow the cores");
  expect(readYaml("sconce.yaml", yaml, rows).has(optionRows.httpThreads)).toBe(false);
});

test("a file without settings gives a file that reads", () => {
  expect(() => readYaml("sconce.yaml", migrate("c.properties", "# nothing\n", {}), rows)).not.toThrow();
});
