/** A model that had to load did not; the start ends. Exit code 3. */
export class StartError extends Error {
  readonly file: string;
  readonly reason: string;

  constructor(file: string, reason: string) {
    // Reasons from the archive begin with the file already.
    super(reason.startsWith(file) ? reason : `${file}: ${reason}`);
    this.name = "StartError";
    this.file = file;
    this.reason = reason;
  }
}
