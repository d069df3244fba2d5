/** A mistake in what the operator wrote: flag, environment or configuration file. Exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
