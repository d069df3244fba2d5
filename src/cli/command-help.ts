/** A command's row in help. */
export interface CommandHelp {
  readonly name: string;
  /** What follows `sconce name`. */
  readonly usage: string;
  readonly summary: string;
  /** Flags beside those of the option table. */
  readonly flags: readonly (readonly [flag: string, help: string])[];
  readonly examples: readonly string[];
}
