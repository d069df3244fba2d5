import { join } from "node:path";
import { expect, test } from "vitest";
import { checkArtifact } from "../../../src/archive/artifact.js";
import { OperatorScan, operatorModel, withOperatorWords } from "../../../src/archive/operators.js";
import { ServerError } from "../../../src/errors.js";

const models = join(import.meta.dirname, "../../e2e/models");

test("a file's call of torchvision's is found, others' are not looked for", async () => {
  expect(await checkArtifact(join(models, "nms.pt"))).toEqual({ kind: "torchscript", operator: "torchvision::nms" });
  expect(await checkArtifact(join(models, "missing_op.pt"))).toEqual({ kind: "torchscript" });
});

test("wherever the file is cut into chunks, and only in sources", () => {
  const text = `${"# filler\n".repeat(20)}    kept = ops.torchvision.nms(boxes, scores, 0.5)\n`;
  for (let at = 0; at <= text.length; at++) {
    const scan = new OperatorScan();
    scan.take("m/code/a.py", Buffer.from(text.slice(0, at)));
    scan.take("m/code/a.py", Buffer.from(text.slice(at)));
    expect(scan.found).toBe("torchvision::nms");
  }
  const other = new OperatorScan();
  other.take("m/data/0", Buffer.from(text));
  other.take("m/code/a.py", Buffer.from("props.torchvision.nms = 1; torch.ops.nowhere.twice(x); ops.torchvision."));
  other.take("m/code/b.py", Buffer.from("nms(x)"));
  expect(other.found).toBeUndefined();
});

const question = { path: "m.mar", root: "/m", maxRetryMs: 7, useVenv: undefined };

test("a handler of TorchServe's that imports torchvision takes it", () => {
  const manifest = { serializedFile: "m.pt", requirementsFile: "r.txt" };
  expect(operatorModel("torchvision::nms", { ...question, manifest, handler: "object_detector" })).toEqual({
    folder: "/m",
    handler: "object_detector",
    maxRetryMs: 7,
    operator: "torchvision::nms",
    requirements: "r.txt",
  });
});

test.each([
  ["base_handler", { serializedFile: "m.pt" }],
  ["handler.ts", { serializedFile: "m.pt" }],
  ["object_detector", {}],
])("%s with the manifest %j does not: it is refused with what would", (handler, manifest) => {
  expect(() => operatorModel("torchvision::nms", { ...question, manifest, handler })).toThrow(
    /^m\.mar: its TorchScript calls torchvision::nms, .*object_detector or a \.py file that imports torchvision.*--python/,
  );
});

test("libtorch's words get what can be done; other errors stay", () => {
  const raw = "m.pt: not a TorchScript file that this libtorch reads: Unknown builtin op: nowhere::twice.";
  const told = withOperatorWords(new ServerError("invalid_model", raw)) as ServerError;
  expect(told.message).toMatch(/^m\.pt: it calls nowhere::twice, an operator that libtorch has not.*--python/);
  for (const each of [new ServerError("internal", raw), new ServerError("invalid_model", "m.pt: no"), "text"]) {
    expect(withOperatorWords(each)).toBe(each);
  }
});
