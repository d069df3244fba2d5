/** What `sconce archive inspect` and `verify` print for people. Pure. */
import type { Inspection } from "../archive/inspect.js";
import type { Method } from "../archive/probe.js";
import { paint } from "./terminal.js";

export interface TextStyle {
  readonly color: boolean;
}

const runtimeWords: Readonly<Record<Inspection["runtime"], string>> = {
  libtorch: "libtorch, in process",
  python: "Python",
  cpp: "TorchServe's C++ back end",
  node: "Node, beside libtorch in process",
};

const column = 10;

export function inspectionText(found: Inspection, style: TextStyle): string {
  const rows: (readonly [string, string])[] = [
    ["model", modelWords(found)],
    ["handler", found.handler],
    ["runtime", runtimeWords[found.runtime]],
    ...(found.spec ? specRows(found) : []),
    ...found.methods.map((method, i) => [i === 0 ? "methods" : "", methodWords(method)] as const),
    ["digests", found.digests ? "every file is as it was packed" : "none"],
    ...Object.entries(found.manifest).map(
      ([key, value], i) =>
        [i === 0 ? "manifest" : "", `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`] as const,
    ),
    ...found.files.map(
      ({ name, bytes }, i) => [i === 0 ? "files" : "", `${String(bytes).padStart(12)}  ${name}`] as const,
    ),
    ...found.warnings.map((warning) => ["warning", warning] as const),
  ];
  const body = rows.map(([key, value]) => `  ${paint(style.color, "dim", key.padEnd(column))}${value}`);
  return `${[headLine(found, style), ...body, verdictLine(found, style)].join("\n")}\n`;
}

/** For an archive that a server would load. */
export function verdictText(found: Inspection, style: TextStyle): string {
  const { spec, digests, tried } = found;
  const checks = [
    digests ? "digests match" : "no digests inside",
    tried ? "the model loads" : "the model was not loaded (no probe)",
  ];
  const head = `${paint(style.color, "green", "ok:")} ${found.path}: ${spec?.name ?? ""} ${spec?.version ?? ""}`;
  const warnings = found.warnings.map((warning) => `${paint(style.color, "yellow", "warning:")} ${warning}`);
  return `${[`${head} (${checks.join(", ")})`, ...shaLine(found), ...warnings].join("\n")}\n`;
}

const shaLine = ({ sha256 }: Inspection): readonly string[] => (sha256 === undefined ? [] : [`sha256 ${sha256}`]);

function headLine(found: Inspection, style: TextStyle): string {
  const digest = found.sha256 === undefined ? "" : `, sha256 ${found.sha256}`;
  return `${paint(style.color, "bold", found.path)}: ${found.form}, ${found.bytes} bytes${digest}`;
}

function verdictLine({ refused, tried }: Inspection, style: TextStyle): string {
  if (refused !== undefined) return `${paint(style.color, "red", "refused:")} ${refused}`;
  return `${paint(style.color, "green", "ok:")} a server loads it${tried ? "" : " (not tried: no probe)"}`;
}

function modelWords({ spec, manifest }: Inspection): string {
  const name = spec?.name ?? manifest.modelName ?? "(named after the file)";
  return `${name} ${spec?.version ?? manifest.modelVersion ?? "1.0"}`;
}

function specRows({ spec }: Inspection): (readonly [string, string])[] {
  if (!spec) return [];
  const { inputs, declared } = spec.signature;
  const words = inputs.map(
    ({ name, dtype, shape, optional }) => `${name} ${dtype} [${shape.join(", ")}]${optional ? " optional" : ""}`,
  );
  return [
    ["kind", spec.kind],
    ["inputs", declared ? words.join("; ") : "not declared (model-config.yaml, sconce.inputs)"],
  ];
}

function methodWords(method: Method): string {
  const list = method.arguments.map((each) => `${each.name}: ${each.type}${each.default ? " = …" : ""}`);
  return `${method.name}(${list.join(", ")}) -> ${method.returns}`;
}
