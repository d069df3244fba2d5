/**
 * TorchServe's keys of model-config.yaml that its server acts on and this one does not: what would make answers other ones
 * is refused, the rest is said. Pure.
 */
import { didYouMean } from "../config/suggest.js";
import { namesOf, topKeys } from "./model-keys.js";
import type { Section } from "./yaml-section.js";

const usedKeys = namesOf(topKeys, ({ actsOn }) => actsOn === undefined);
/** Whoever runs the model. */
const ignoredServerKeys = namesOf(topKeys, ({ actsOn }) => actsOn === "nobody");
const ignoredKeys = namesOf(topKeys, ({ actsOn }) => actsOn !== undefined);

const switches = {
  asyncCommunication:
    "with which TorchServe awaits what the handler returns; there are no such workers here, so make the handler synchronous and take the key out",
  sequenceBatching:
    "with which TorchServe gives all requests of a sequence to one worker, in their order; here any worker would get them and what the handler keeps of a sequence would be wrong, so take the key out, and if one worker is enough set minWorkers and maxWorkers to 1",
  continuousBatching:
    "with which TorchServe calls the handler again and again for the same requests; here it is called once for each, and they would get the first part of their answer alone, so let the handler do its steps itself (send_intermediate_predict_response sends parts) and take the key out",
} as const;

/** The most processes for one worker that nobody would miss. */
const processesHere = 1;
const maxProcesses = 65_536;

/** Why a model that Python runs cannot be served as its configuration asks, in words for after its path. */
export function pythonRefusal(top: Section): string | undefined {
  for (const [key, what] of Object.entries(switches)) {
    if (top.boolean(key) === true) return `its configuration asks for ${key}, ${what}`;
  }
  const processes = Math.max(
    top.section("torchrun")?.integer("nproc-per-node", 1, maxProcesses) ?? processesHere,
    top.plain("parallelType") === "custom" ? processesHere : (top.integer("parallelLevel", 0, maxProcesses) ?? 0),
  );
  if (processes <= processesHere) return undefined;
  return `its configuration asks for ${processes} processes of torchrun for a worker (torchrun.nproc-per-node, parallelLevel); a worker is one process here, which would have a part of the model at most`;
}

/** Of a model that Python runs: its handler may read any other key. */
export function pythonWarnings(file: string, top: Section): readonly string[] {
  return ignoredServerKeys.filter((key) => asksFor(top, key)).map((key) => withoutEffect(file, key));
}

/** Of any other model. */
export function nativeWarnings(file: string, top: Section): readonly string[] {
  return top
    .keys()
    .filter((key) => !usedKeys.includes(key))
    .map((key) =>
      ignoredKeys.includes(key)
        ? withoutEffect(file, key)
        : `${file}: ${key} is not a key that sconce or TorchServe reads${didYouMean(key, usedKeys)}`,
    );
}

/** `false` and 0 ask for what is so anyway. */
function asksFor(top: Section, key: string): boolean {
  return top.has(key) && top.plain(key) !== false && top.plain(key) !== 0;
}

function withoutEffect(file: string, key: string): string {
  return `${file}: ${key} has no effect in this version`;
}
