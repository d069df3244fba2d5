/** Whether the Python of a model has the package whose operators the model calls, and can run them. */
import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { ServerError } from "../errors.js";
import type { ModelPython } from "./install.js";
import { plainEnvironment } from "./python.js";

const timeoutMs = 60_000;

/**
 * What the model brought itself is not imported, as that would run it here and not in a worker. torchvision imports
 * without its library of operators, too: a build for another torch only warns.
 */
const question = `
import importlib, importlib.util, os, sys
name, own = sys.argv[1], os.path.realpath(sys.argv[2]) + os.sep
spec = importlib.util.find_spec(name)
origin = os.path.realpath(spec.origin or "") if spec else ""
if spec is None:
    print("absent")
elif origin.startswith(own):
    print("ready")
else:
    sys.path = [each for each in sys.path if not (os.path.realpath(each) + os.sep).startswith(own)]
    loaded = getattr(getattr(importlib.import_module(name), "extension", None), "_has_ops", lambda: True)
    print("ready" if loaded() else "without operators")
`;

/** Rejects with ServerError invalid_model. `operator`: "torchvision::nms"; `folder`: the version's own, searched too. */
export async function checkOperator(operator: string, own: ModelPython, folder: string): Promise<void> {
  const [name = ""] = operator.split("::");
  const { executable } = own.python;
  const env = { ...plainEnvironment(process.env), PYTHONPATH: [folder, ...own.paths].join(delimiter) };
  const words = ["-c", question, name, folder];
  const answer = await new Promise<string>((resolve) => {
    execFile(executable, words, { env, cwd: "/", timeout: timeoutMs }, (error, out, complaint) =>
      resolve(error === null ? out.trim() : (complaint.trim().split("\n").at(-1) ?? "")),
    );
  });
  if (answer === "ready") return;
  const faults: Readonly<Record<string, string>> = {
    absent: `lacks ${name}; add with: ${executable} -m pip install ${name}`,
    "without operators": `has a ${name} whose operators do not load: it is a build for another torch than the one there`,
  };
  const fault = faults[answer] ?? `cannot import ${name}: ${answer.slice(0, 500)}`;
  const what = `The model's TorchScript calls ${operator}, an operator of ${name}'s that libtorch has not`;
  throw new ServerError("invalid_model", `${what}, and the Python that --python names ${fault}`);
}
