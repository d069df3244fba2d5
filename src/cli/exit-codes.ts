/** How `sconce` ends. Documented in its help. */
export const exitCodes = {
  ok: 0,
  /** A port that is taken, an engine that does not load, requests that a drain had to cut. */
  failure: 1,
  /** A wrong flag, variable, file key or command. */
  usage: 2,
  /** A model that had to load did not, or an archive that was to be verified would not. */
  model: 3,
  /** No server answers there. */
  unreachable: 4,
  /** The server has no such model or version. */
  missing: 5,
} as const;

export const exitCodeHelp: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.ok, "done, or drained after a signal"],
  [exitCodes.failure, "failed: a port taken, the engine not built, a request refused, requests cut by the drain"],
  [exitCodes.usage, "wrong option, command or configuration file"],
  [exitCodes.model, "a model named on the command line did not load, or does not verify"],
  [exitCodes.unreachable, "models: no server answers there"],
  [exitCodes.missing, "models: the server has no such model or version"],
];
