/** The rows of options.ts that are about Python workers. */
import { bytes, choice, count, flag, GiB, row, text } from "./option-row.js";

export const pythonRows = {
  python: row(
    "python",
    text,
    "python3",
    "python",
    "Python that runs handlers written in Python; it needs the packages torch and torchserve.",
    { placeholder: "PROGRAM" },
  ),
  workerEnv: row(
    "worker-env",
    { type: "list" },
    [],
    "python",
    "Names of environment variables that Python workers get too; of the others they see none.",
  ),
  workerMemory: row(
    "worker-memory",
    bytes(0, 16 * 1024 * GiB),
    0,
    "python",
    "Memory that one Python worker may take for its data; 0: no limit of its own.",
  ),
  workerFiles: row("worker-files", count(1, 1_000_000), 1024, "python", "Files that a Python worker may have open."),
  workerUser: row(
    "worker-user",
    text,
    undefined,
    "python",
    "User that Python workers run as: a name, UID or UID:GID, where the server is root; else they are the server's user.",
    { placeholder: "USER" },
  ),
  workerProcesses: row(
    "worker-processes",
    count(0, 1_000_000),
    0,
    "python",
    "Processes and threads that the workers' user may have, all workers together; 0: no limit of its own. Root has none.",
  ),
  workerNetwork: row(
    "worker-network",
    flag,
    true,
    "python",
    "Whether Python workers may use the network; --no-worker-network gives each one of its own with nothing in it.",
  ),
  installPyDepPerModel: row(
    "install-py-dep-per-model",
    flag,
    false,
    "python",
    "Whether pip installs what a Python model's requirements list, for that model alone, before its workers start.",
  ),
  workerMetrics: row(
    "worker-metrics",
    text,
    undefined,
    "python",
    "YAML file with the metrics that Python handlers may use; without it those of the torchserve package.",
    { placeholder: "FILE" },
  ),
  serviceEnvelope: row(
    "service-envelope",
    choice("none", "body", "json", "kserve", "kservev2"),
    "none",
    "python",
    "TorchServe's envelope around requests of Python handlers.",
  ),
  decodeInputRequest: row(
    "decode-input-request",
    flag,
    true,
    "python",
    "Whether Python handlers get JSON and text decoded; else bytes.",
  ),
} as const;
