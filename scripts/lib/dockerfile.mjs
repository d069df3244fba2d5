/** Reads a Dockerfile as far as ours go: stages of instructions, exec forms, KEY=value pairs. No heredocs, no escapes. */

/**
 * Stages in order: `{ name, from, instructions: [{ word, flags, text }] }`, and before them the global ARGs' defaults.
 * `text` has its continuation lines joined and its leading --flags taken off.
 */
export function parseDockerfile(text) {
  const joined = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, " ");
  const globals = {};
  const stages = [];
  for (const line of joined.split("\n").filter((each) => each.trim() !== "")) {
    const [, word = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const stage = stages.at(-1);
    if (word === "FROM") {
      const [, from = "", name = ""] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
      stages.push({ name, from: from.replace(/\$\{(\w+)\}/g, (_, key) => globals[key] ?? ""), instructions: [] });
    } else if (stage === undefined) {
      if (word === "ARG") Object.assign(globals, pairs(rest));
    } else {
      const flags = /^(?:--\S+\s+)*/.exec(rest)?.[0] ?? "";
      stage.instructions.push({ word, flags: flags.split(/\s+/).filter(Boolean), text: rest.slice(flags.length) });
    }
  }
  return { globals, stages };
}

/** `A=1 B="2 3"` */
export function pairs(text) {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)=("[^"]*"|\S*)/g)].map(([, key, value = ""]) => [key, value.replace(/^"|"$/g, "")]),
  );
}

/** A stage's instructions after those of the stages that it is made from, of this file. */
export function inherited(stages, stage) {
  const below = stages.find((each) => each.name === stage.from && each !== stage);
  return [...(below ? inherited(stages, below) : []), ...stage.instructions];
}

/** What Debian's and Node's images set. */
const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What a container of this stage starts with: environment, user, folder, exec forms, health check. */
export function startOf(stages, stage) {
  const all = inherited(stages, stage);
  const last = (word) => all.filter((each) => each.word === word).at(-1)?.text;
  const exec = (text) => (text === undefined ? [] : JSON.parse(text));
  const check = all.filter((each) => each.word === "HEALTHCHECK").at(-1);
  const env = { PATH: basePath };
  for (const { text } of all.filter((each) => each.word === "ENV"))
    for (const [key, value] of Object.entries(pairs(text)))
      env[key] = value.replace(/\$(\w+)/g, (_, name) => env[name] ?? "");
  return {
    env,
    user: last("USER"),
    folder: last("WORKDIR") ?? "/",
    command: [...exec(last("ENTRYPOINT")), ...exec(last("CMD"))],
    health: check ? exec(check.text.replace(/^CMD\s+/, "")) : [],
  };
}
