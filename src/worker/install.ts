/**
 * What a model brings its own packages with, as TorchServe has it: a virtual environment of its own (`useVenv`), and its
 * requirements installed there, or into its folder, where `--install-py-dep-per-model` says so. Both lie in the version's
 * copy of the folder and are gone with it. pip runs as the workers' user. Main thread; asynchronous.
 */
import { execFile } from "node:child_process";
import { lstat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ServerError } from "../errors.js";
import type { PythonModel } from "../types.js";
import { plainEnvironment, type WorkerPython } from "./python.js";
import type { WorkerUser } from "./user.js";

export interface InstallOptions {
  /** The version's own folder. */
  readonly folder: string;
  /** --install-py-dep-per-model. */
  readonly install: boolean;
  readonly timeoutMs: number;
  readonly user: WorkerUser | undefined;
  /** The server's own, of which pip gets what concerns it: its settings and the way to the network. */
  readonly env: NodeJS.ProcessEnv;
  /** Lines worth telling an operator. */
  readonly say: (words: string) => void;
}

/** A Python for one version, and folders that its modules are looked for in first. */
export interface ModelPython {
  readonly python: WorkerPython;
  readonly paths: readonly string[];
}

const venvFolder = "venv";
/** Of pip's output, of which the last lines matter. */
const maxOutputBytes = 16 * 1024 * 1024;
const pipVariable = /^(PIP_\w+|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|SSL_CERT_FILE|REQUESTS_CA_BUNDLE)$/;

/** Rejects with ServerError invalid_model: the last line of what failed. */
export async function prepareModel(
  model: PythonModel,
  python: WorkerPython,
  options: InstallOptions,
): Promise<ModelPython> {
  const own = model.useVenv === true ? await makeVenv(python, options) : { python, paths: [] };
  const { requirements } = model;
  if (requirements === undefined) return own;
  if (!options.install) {
    options.say(
      `${requirements} is not installed: --install-py-dep-per-model does that; else the Python has to have it`,
    );
    return own;
  }
  const file = join(options.folder, basename(requirements));
  if (
    !(await lstat(file).then(
      (found) => found.isFile(),
      () => false,
    ))
  )
    throw new ServerError(
      "invalid_model",
      `The manifest names the requirements ${requirements}, and the model has no such file`,
    );
  const begun = performance.now();
  const into = model.useVenv === true ? ["--python", own.python.executable] : [];
  const target = model.useVenv === true ? [] : ["--target", options.folder];
  const flags = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--upgrade"];
  await run(
    "its requirements cannot be installed",
    python,
    ["-m", "pip", ...into, "install", ...flags, ...target, "-r", file],
    options,
  );
  options.say(`${requirements} is installed, in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return own;
}

async function makeVenv(python: WorkerPython, options: InstallOptions): Promise<ModelPython> {
  const folder = join(options.folder, venvFolder);
  const words = ["-m", "venv", "--without-pip", "--system-site-packages", "--clear", folder];
  await run("its virtual environment (useVenv) cannot be made", python, words, options);
  const [major = "3", minor = "0"] = python.version.split(".");
  return {
    python: { ...python, executable: join(folder, "bin", "python") },
    paths: [join(folder, "lib", `python${major}.${minor}`, "site-packages")],
  };
}

function run(what: string, python: WorkerPython, words: readonly string[], options: InstallOptions): Promise<void> {
  const { folder, timeoutMs, user, env } = options;
  const named = Object.entries(env).filter(([name]) => pipVariable.test(name));
  const settings = {
    cwd: folder,
    // What the Python has counts as installed, also where it is an environment itself.
    env: {
      ...plainEnvironment(env),
      HOME: user === undefined ? (env["HOME"] ?? folder) : folder,
      ...Object.fromEntries(named),
      PYTHONPATH: python.home,
    },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: maxOutputBytes,
    ...user,
  } as const;
  return new Promise((resolve, reject) => {
    execFile(python.executable, [...words], settings, (error, out, complaint) => {
      if (error === null) resolve();
      else reject(failed(what, error, `${out}\n${complaint}`, timeoutMs));
    });
  });
}

function failed(what: string, error: { readonly killed?: boolean }, output: string, timeoutMs: number): ServerError {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const last = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "it said nothing";
  const why =
    error.killed === true
      ? `not done within ${timeoutMs / 1000} s (startupTimeout, --probe-timeout)`
      : last.slice(0, 500);
  return new ServerError("invalid_model", `The model is Python code, and ${what}: ${why}`, { cause: error });
}
