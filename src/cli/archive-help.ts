/** `sconce help archive`. The flags of create are torch-model-archiver's. */
import { archiveFormats } from "../archive/pack.js";
import { runtimes } from "../archive/manifest.js";
import type { CommandHelp } from "./command-help.js";

export const archiveHelp: CommandHelp = {
  name: "archive",
  usage: "create [options] | inspect ARCHIVE | verify ARCHIVE | extract ARCHIVE DIR",
  summary: "Packs, shows, checks and unpacks model archives.",
  flags: [
    ["--model-name NAME", "create: the model's name, and the archive's."],
    ["-v, --version VERSION", "create: the model's version."],
    ["--handler HANDLER", "create: a built-in handler or a Python file."],
    ["--serialized-file FILE", "create: the model, TorchScript or AOTInductor."],
    ["--model-file FILE", "create: Python code of the model's class."],
    ["--extra-files LIST", "create: files, folders (their contents) or patterns, with commas between them."],
    ["--runtime RUNTIME", `create: ${runtimes.join(", ")}. Default: python.`],
    ["--export-path DIR", "create: where the archive goes. Default: here."],
    ["--archive-format FORMAT", `create: ${archiveFormats.join(", ")}. Default: default, a deflated .mar.`],
    ["-f, --force", "create: replaces an archive that is there."],
    ["-r, --requirements-file FILE", "create: Python packages that the handler needs."],
    ["-c, --config-file FILE", "create: the model's YAML configuration."],
    ["--run, --commit, --data-digest TEXT", "create: where the model comes from; describe shows it."],
    ["--torch-version VERSION", "create: of the torch that saved the model."],
    ["--sha256 HEX", "verify: the archive must have this digest."],
    ["--no-probe", "inspect, verify: does not load the model file in a process of its own."],
    ["--probe-timeout TIME", "inspect, verify: how long loading may take. Default: 600 s."],
    ["--json", "One JSON object on standard output."],
  ],
  examples: [
    "sconce archive create --model-name iris --version 1.0 --serialized-file iris.pt --handler base_handler",
    "sconce archive inspect iris.mar",
    "sconce archive verify iris.mar --sha256 9f86d081… || echo refused",
  ],
};

export const publishHelp: CommandHelp = {
  name: "publish",
  usage: "ARCHIVE STORE [options]",
  summary: "Checks an archive and puts it into a model store in one step; prints its digest.",
  flags: [
    ["--name FILE", "The archive's name in the store. Default: its own."],
    ["-f, --force", "Replaces an archive of that name that holds something else."],
    ["--no-probe", "Does not load the model file in a process of its own."],
    ["--probe-timeout TIME", "How long loading may take. Default: 600 s."],
    ["--json", "One JSON object on standard output."],
  ],
  examples: ["sconce publish iris.mar /srv/store"],
};
