/**
 * What of a model's requirements file a Python has not got. That Python reads the file itself, as pip would, and installs
 * nothing; nothing of the model runs.
 */
import { execFile } from "node:child_process";

const timeoutMs = 30_000;
const maxAnswerBytes = 256 * 1024;
/** A longer list is cut. */
const maxShown = 20;

const program = `
import json, sys
from importlib import metadata
try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement
unmet = []
for line in open(sys.argv[1], encoding="utf-8-sig").read().replace("\\\\\\n", " ").splitlines():
    line = line.split(" #")[0].split(" --hash")[0].strip()
    if not line or line.startswith("#"):
        continue
    try:
        wanted = Requirement(line)
    except Exception:
        unmet.append(f"{line[:100]} is not checked")
        continue
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        continue
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        unmet.append(f"{wanted.name} is not installed")
        continue
    if not wanted.specifier.contains(found, prereleases=True):
        unmet.append(f"{wanted.name}{wanted.specifier} is wanted, {found} is there")
print(json.dumps(unmet))
`;

/** Resolves to a line per requirement; undefined where that Python cannot say. */
export async function unmetRequirements(python: string, file: string): Promise<readonly string[] | undefined> {
  const env = { PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" };
  const options = { env, cwd: "/", timeout: timeoutMs, maxBuffer: maxAnswerBytes };
  return new Promise((resolve) => {
    execFile(python, ["-c", program, file], options, (error, out) => {
      const unmet: unknown = error === null ? parsed(out) : undefined;
      const fine = Array.isArray(unmet) && unmet.every((each) => typeof each === "string");
      resolve(fine ? unmet.slice(0, maxShown) : undefined);
    });
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
