/**
 * Looks at a .pt or .pt2 file before anything executes it: kind, structure, checksum of every record. What PyTorch would
 * refuse with an obscure message, or crash on, gets words here. Reads the file once; runs nothing.
 */
import { open, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { type CompiledInputs, CompiledScan } from "./compiled.js";
import { invalid, invalidBy } from "./failure.js";
import { artifactLimits } from "./limits.js";
import { OperatorScan } from "./operators.js";
import { verifyZip } from "./zip.js";

export type ArtifactKind = "torchscript" | "aotinductor";

/** Extensions that are read as TorchScript or as an AOTInductor package. */
export const artifactExtensions = [".pt", ".pth", ".ts", ".pt2"] as const;

const saveScript = "save it with torch.jit.script(model).save(FILE) or torch.jit.trace(model, example).save(FILE)";

/** Other files that people hand to a model server, by how they begin. */
const foreign: readonly (readonly [RegExp, string])[] = [
  [
    /^\x80[\x02-\x05]/,
    `is a bare pickle (an old torch.save), which needs an archive with a Python handler; or ${saveScript}`,
  ],
  [/^version https:\/\/git-lfs/, "is a Git LFS pointer, not the model: run git lfs pull"],
  [/^\s*<(!doctype|html|\?xml)/i, "is a web page, not a model: the download went wrong"],
  [/^\x1f\x8b/, "is gzip data, not a model: unpack it first"],
  [/^\x7fELF/, "is a program or shared library, not a model package"],
  [/^.{8}\{"/s, "is a safetensors file: weights without a model"],
  [/^\x08.\x12/s, "is an ONNX file, which sconce does not read"],
];

export interface Artifact {
  readonly kind: ArtifactKind;
  /** One of torchvision's that it calls, as "torchvision::nms". */
  readonly operator?: string;
  /** Of a package. */
  readonly compiled?: CompiledInputs;
}

/** Rejects with ServerError invalid_model. */
export async function checkArtifact(path: string): Promise<Artifact> {
  let head: string;
  try {
    const found = await stat(path);
    if (!found.isFile()) throw invalid(path, "not a regular file");
    if (found.size === 0) throw invalid(path, "the file is empty");
    head = await firstBytes(path, 64);
  } catch (error) {
    throw invalidBy(path, error);
  }
  if (!head.startsWith("PK\x03\x04")) {
    const known = foreign.find(([pattern]) => pattern.test(head));
    throw invalid(path, known?.[1] ?? "is not a model: a .pt or .pt2 file is a zip archive and begins with PK");
  }
  const scan = new OperatorScan();
  const compiled = new CompiledScan();
  const take = (file: string, chunk: Buffer): void => {
    scan.take(file, chunk);
    compiled.take(file, chunk);
  };
  const kind = kindOf(path, await verifyZip(path, artifactLimits, take));
  if (kind === "aotinductor") return { kind, compiled: compiled.inputs };
  return { kind, ...(scan.found === undefined ? {} : { operator: scan.found }) };
}

async function firstBytes(path: string, count: number): Promise<string> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Told by the records that each of PyTorch's writers makes. */
function kindOf(path: string, names: readonly string[]): ArtifactKind {
  const inside = names.map((name) => name.slice(name.indexOf("/") + 1));
  const compiled = inside.some((name) => name.startsWith("data/aotinductor/"));
  if (compiled) return "aotinductor";
  const package2 = extname(path) === ".pt2" || inside.includes("archive_format");
  if (package2) {
    throw invalid(
      path,
      "holds no compiled model: it was exported but not compiled; make it with torch._inductor.aoti_compile_and_package(exported, package_path=FILE)",
    );
  }
  if (inside.includes("constants.pkl") && inside.includes("data.pkl")) return "torchscript";
  if (inside.includes("data.pkl")) {
    throw invalid(path, `is a torch.save checkpoint (weights, or a pickled module), not TorchScript; ${saveScript}`);
  }
  throw invalid(
    path,
    `is a zip archive, but neither TorchScript nor an AOTInductor package (${basename(path)} holds ${names.length} files)`,
  );
}
