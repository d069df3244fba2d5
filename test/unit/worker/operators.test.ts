import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkOperator } from "../../../src/worker/operators.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-operators-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const executable = execFileSync("python3", ["-c", "import sys; print(sys.executable)"]).toString().trim();
const own = {
  python: { executable, version: "3.11.0", torch: "2.13.0", torchserve: "0.12.0", home: folder },
  paths: [],
};

const lay = (below: string, code: string): void => {
  mkdirSync(join(below, "sconce_vision"), { recursive: true });
  writeFileSync(join(below, "sconce_vision/__init__.py"), code);
};
const refusal = (words: string): object => ({
  code: "invalid_model",
  message: expect.stringContaining(words) as unknown,
});

test("a package that is not there is named, with what adds it", async () => {
  await expect(checkOperator("sconce_vision::nms", own, folder)).rejects.toMatchObject({
    code: "invalid_model",
    message: `The model's TorchScript calls sconce_vision::nms, an operator of sconce_vision's that libtorch has not, and the Python that --python names lacks sconce_vision; add with: ${executable} -m pip install sconce_vision`,
  });
});

test("one that the model brought is not imported here, any other is, and has to have its operators", async () => {
  lay(folder, "raise ValueError('run outside of a worker')");
  await checkOperator("sconce_vision::nms", own, folder);
  const there = mkdtempSync(join(tmpdir(), "sconce-packages-"));
  const empty = join(folder, "empty");
  const elsewhere = { ...own, paths: [there] };
  try {
    lay(there, "");
    await checkOperator("sconce_vision::nms", elsewhere, empty);
    lay(there, "class extension:\n    _has_ops = staticmethod(lambda: False)");
    const without = refusal("has a sconce_vision whose operators do not load");
    await expect(checkOperator("sconce_vision::nms", elsewhere, empty)).rejects.toMatchObject(without);
    lay(there, "raise ValueError('broken')");
    const broken = refusal("cannot import sconce_vision: ValueError: broken");
    await expect(checkOperator("sconce_vision::nms", elsewhere, empty)).rejects.toMatchObject(broken);
  } finally {
    rmSync(there, { recursive: true, force: true });
  }
});
