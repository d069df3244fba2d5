/** What no log line or support bundle may hold: keys, authorization values, users and queries of URLs. Pure. */

export const redacted = "(redacted)";

/** Characters of a URL's user and password, and of what comes before its query: so no line takes long to look through. */
const maxUser = 4096;
const maxPath = 8192;
const users = new RegExp(`(://)([^\\s@"'?#]{1,${maxUser}})@`, "g");
const queries = new RegExp(`(://[^\\s"'?]{1,${maxPath}})\\?[^\\s"']+`, "g");

/** The text with what looks like a secret taken out. */
export function redactSecrets(text: string): string {
  return (
    text
      .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, redacted)
      .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${redacted}`)
      // No scheme: in patterns of URLs something else may stand before the colon.
      .replace(users, (all, slashes: string, user: string) => (isUser(user) ? `${slashes}${redacted}@` : all))
      .replace(queries, `$1?${redacted}`)
  );
}

/** A password with a slash that nobody encoded counts as well; `localhost:8080/a` of `localhost:8080/a@b` does not. */
function isUser(text: string): boolean {
  return !text.includes("/") || /^[^/]*:(?!\d*\/)/.test(text);
}

/** The same for a line that others wrote: values of what is called password, token, secret or key go too. */
export function redactLine(text: string): string {
  return redactSecrets(text).replace(
    /\b([\w-]{0,256}(?:password|passwd|passphrase|keystore[-_]?pass|secret|token|(?:api|access|private)[-_]?key|authorization)["']?\s*[:=]\s*["']?)(?!Bearer|Basic)[^\s"',;]+/gi,
    `$1${redacted}`,
  );
}
