/** A Python here that has torch and what TorchServe's worker needs; SCONCE_PYTHON names one. */
import { spawnSync } from "node:child_process";
import { neededPackages } from "../../src/worker/python.js";
import { repository } from "./server.js";

/** Undefined: there is none, and who needs it is skipped. */
export const torchPython = [process.env["SCONCE_PYTHON"], `${repository}.venv/bin/python`, "python3"].find(
  (each) => each && hasAll(each),
);
if (torchPython === undefined) {
  console.warn("no Python with torch and torchserve (set SCONCE_PYTHON): the tests of Python handlers are skipped");
}

function hasAll(command: string): boolean {
  const names = JSON.stringify(Object.keys(neededPackages));
  const words = `from importlib import metadata\nfor name in ${names}: metadata.version(name)\nimport torch`;
  return spawnSync(command, ["-c", words]).status === 0;
}
