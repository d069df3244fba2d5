import { describe, expect, test } from "vitest";
import { optionKeys, optionRows, type OptionRow } from "../../../src/config/options.js";
import { configSchema } from "../../../src/config/schema.js";

interface Property {
  readonly description: string;
  readonly minimum?: number;
  readonly anyOf?: readonly { readonly pattern?: string }[];
}
const rows: readonly OptionRow[] = optionKeys.map((key) => optionRows[key]);
const schema = configSchema(rows) as { readonly properties: Readonly<Record<string, Property>> };

describe("the schema of sconce.yaml", () => {
  test("has every option under its file key, with its help and default, and allows nothing else", () => {
    expect(Object.keys(schema.properties)).toEqual(rows.map((row) => row.fileKey));
    for (const row of rows) expect(schema.properties[row.fileKey]?.description).toContain(row.help);
    expect(schema).toMatchObject({ additionalProperties: false, type: "object" });
    expect(schema.properties["port"]).toMatchObject({ type: "integer", minimum: 0, maximum: 65_535 });
    expect(schema.properties["logLevel"]).toMatchObject({ enum: ["debug", "info", "warn", "error"] });
  });

  test.each(["120 s", "500ms", "1.5h", "2 m", "30"])("a time may be written %s", (text) => {
    const pattern = schema.properties["responseTimeout"]?.anyOf?.[1]?.pattern ?? "^$";
    expect(text).toMatch(new RegExp(pattern));
    expect("soon").not.toMatch(new RegExp(pattern));
  });

  test.each(["64 MiB", "64M", "6553500 B", "6553500"])("a size may be written %s", (text) => {
    const pattern = schema.properties["maxRequestSize"]?.anyOf?.[1]?.pattern ?? "^$";
    expect(text).toMatch(new RegExp(pattern));
    expect("big").not.toMatch(new RegExp(pattern));
  });
});
