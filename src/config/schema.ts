/** The JSON schema of sconce.yaml, made from the option table: editors check and complete with it. Pure. */
import type { OptionRow } from "./options.js";
import { showValue, type Kind } from "./values.js";

type Schema = Readonly<Record<string, unknown>>;

const count = { type: "integer", maximum: 1_000_000 };
const versionSettings: Schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    defaultVersion: { type: "boolean" },
    marName: { type: "string", minLength: 1 },
    minWorkers: count,
    maxWorkers: count,
    batchSize: count,
    maxBatchDelay: { ...count, description: "Milliseconds." },
    responseTimeout: { ...count, description: "Seconds." },
    startupTimeout: { ...count, description: "Seconds." },
    runtimeType: { type: "string" },
    parallelLevel: count,
  },
};

function kindSchema(kind: Kind): Schema {
  switch (kind.type) {
    case "string":
      return { type: "string", minLength: 1, ...(kind.shape && { pattern: `^(?:${kind.shape.pattern})$` }) };
    case "list":
      return { anyOf: [{ type: "array", items: { type: "string" } }, { type: "string" }] };
    case "boolean":
      return { type: "boolean" };
    case "integer":
      return { type: "integer", minimum: kind.min, maximum: kind.max };
    case "port":
      return { anyOf: [{ type: "integer", minimum: 0, maximum: 65_535 }, { const: "off" }] };
    case "duration": {
      const seconds = { type: "number", minimum: kind.minMs / 1000, maximum: kind.maxMs / 1000 };
      return {
        anyOf: [seconds, { type: "string", pattern: "^\\s*\\d{1,12}(\\.\\d{1,9})?\\s*([mM]?[sS]|[mMhH])?\\s*$" }],
      };
    }
    case "size": {
      const bytes = { type: "integer", minimum: kind.min, maximum: kind.max };
      return {
        anyOf: [bytes, { type: "string", pattern: "^\\s*\\d{1,15}(\\.\\d{1,6})?\\s*[kKmMgG]?([iI]?[bB])?\\s*$" }],
      };
    }
    case "choice":
      return { enum: kind.choices };
    case "rising":
      return { type: "array", items: { type: "number", exclusiveMinimum: 0 }, minItems: 1, maxItems: kind.maxCount };
    case "modelSettings":
      return {
        type: "object",
        additionalProperties: { type: "object", additionalProperties: versionSettings },
      };
    case "modelSnapshot":
      return {
        type: "object",
        required: ["models"],
        properties: {
          models: {
            type: "object",
            additionalProperties: {
              type: "object",
              additionalProperties: { ...versionSettings, required: ["marName"] },
            },
          },
        },
      };
  }
}

function propertySchema(row: OptionRow): Schema {
  const value = row.auto ?? (row.fallback === undefined ? "" : showValue(row.kind, row.fallback));
  const said = value === "" ? "" : ` Default: ${value}.`;
  return { ...kindSchema(row.kind), description: `${row.help}${said}` };
}

/** Draft 2020-12. */
export function configSchema(rows: readonly OptionRow[]): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "sconce.yaml",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(rows.map((row) => [row.fileKey, propertySchema(row)])),
  };
}
