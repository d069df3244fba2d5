/** The script of SageMaker's PyTorch containers, beside a model that is served without it. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const script = "code/inference.py";

/** `path`: how the model is called in messages; `root`: the folder that its files lie in. */
export function scriptWarnings(path: string, root: string): readonly string[] {
  // What lies around a bare file belongs to nobody.
  if (resolve(dirname(path)) === resolve(root) || !existsSync(join(root, script))) return [];
  const words = `${script} is not run: its model_fn, input_fn, predict_fn and output_fn have no effect`;
  return [`${path}: ${words}; a handler does their work (docs/python-handlers.md)`];
}
