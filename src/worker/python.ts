/**
 * Finds out whether a Python can run TorchServe's workers: it is asked for its version, for the `torchserve` package and
 * for what the worker imports. Nothing is imported there, so the question costs some tens of milliseconds.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { ServerError } from "../errors.js";

/** A Python with everything that a worker needs. */
export interface WorkerPython {
  readonly executable: string;
  /** "3.11.7". */
  readonly version: string;
  readonly torch: string;
  readonly torchserve: string;
  /** Folder that holds the package `ts`. */
  readonly home: string;
  /** Of the handlers; absent: the package's own. */
  readonly metrics?: string;
}

/** What a Python said of itself. */
export interface PythonFacts {
  readonly executable: string;
  readonly version: string;
  /** Versions of distributions, null where there is none. */
  readonly found: Readonly<Record<string, string | null>>;
  readonly home: string | null;
}

/** Distribution → why a worker needs it. */
export const neededPackages: Readonly<Record<string, string>> = {
  torch: "the model's own library",
  torchserve: "TorchServe's worker and handlers",
  pyyaml: "read by the worker at its start",
  psutil: "imported by the worker's metrics",
  packaging: "imported by the base handler",
};

const oldest = [3, 8] as const;
const askTimeoutMs = 30_000;
const maxAnswerBytes = 64 * 1024;

/** All that a Python gets of the server's environment unless more is asked for: no secrets are in it. */
export function plainEnvironment(own: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return { PATH: own["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" };
}

const question = `
import importlib.util, json, os, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
spec = importlib.util.find_spec("ts")
home = os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else None
print(json.dumps({"executable": sys.executable, "version": ".".join(map(str, sys.version_info[:3])), "home": home,
                  "found": {name: version(name) for name in sys.argv[1:]}}))
`;

/** Rejects with ServerError invalid_model: what is missing, and how to add it. */
export async function findPython(command: string): Promise<WorkerPython> {
  return suitable(command, await askPython(command));
}

/** Rejects with ServerError invalid_model when nothing answers. */
export async function askPython(command: string): Promise<PythonFacts> {
  const words = ["-c", question, ...Object.keys(neededPackages)];
  const options = { env: plainEnvironment(process.env), cwd: "/", timeout: askTimeoutMs, maxBuffer: maxAnswerBytes };
  return new Promise((resolve, reject) => {
    execFile(command, words, options, (error, out, complaint) => {
      if (error !== null) {
        const why = complaint.trim().split("\n").at(-1) ?? "";
        const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
        reject(unsuitable(command, missing ? "there is no such program" : why === "" ? error.message : why, error));
        return;
      }
      try {
        resolve(JSON.parse(out) as PythonFacts);
      } catch (cause) {
        reject(unsuitable(command, "it did not say what it has", cause));
      }
    });
  });
}

/** Throws ServerError invalid_model. Pure. */
export function suitable(command: string, facts: PythonFacts): WorkerPython {
  const { executable, version, found, home } = facts;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw unsuitable(command, `it is Python ${version}, and TorchServe's workers need ${oldest.join(".")} or newer`);
  }
  const missing = Object.keys(neededPackages).filter((name) => (found[name] ?? null) === null);
  if (missing.length > 0 || home === null) {
    const list = missing.length > 0 ? missing : ["torchserve"];
    throw unsuitable(command, `it lacks ${list.join(", ")}; add with: ${executable} -m pip install ${list.join(" ")}`);
  }
  return { executable, version, torch: found["torch"] ?? "", torchserve: found["torchserve"] ?? "", home };
}

function unsuitable(command: string, why: string, cause?: unknown): ServerError {
  const words = `Python runs this model, and the Python that --python names (${command}) cannot run it: ${why}`;
  return new ServerError("invalid_model", words, { cause });
}

/** The worker's program and its metrics file in that Python. */
export function workerFiles({ home, metrics }: WorkerPython): { readonly program: string; readonly metrics: string } {
  return {
    program: join(home, "ts", "model_service_worker.py"),
    metrics: metrics ?? join(home, "ts", "configs", "metrics.yaml"),
  };
}
