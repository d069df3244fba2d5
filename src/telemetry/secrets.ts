/** What no log line or support bundle may hold: keys, authorization values, users and queries of URLs. Pure. */

export const redacted = "(redacted)";

/** The text with what looks like a secret taken out. */
export function redactSecrets(text: string): string {
  return (
    text
      .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, redacted)
      .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${redacted}`)
      // A password with a slash that nobody encoded goes as well, `localhost:8080/a@b` stays. No scheme: in patterns of URLs
      // something else may stand before the colon.
      .replace(/(:\/\/)(?:[^\s/@"'?#]+|[^\s/@"'?#]*:(?!\d*\/)[^\s@"'?#]+)@/g, `$1${redacted}@`)
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s"'?]+)\?[^\s"']+/gi, `$1?${redacted}`)
  );
}

/** The same for a line that others wrote: values of what is called password, token, secret or key go too. */
export function redactLine(text: string): string {
  return redactSecrets(text).replace(
    /\b([\w-]*(?:password|passwd|passphrase|keystore[-_]?pass|secret|token|(?:api|access|private)[-_]?key|authorization)["']?\s*[:=]\s*["']?)(?!Bearer|Basic)[^\s"',;]+/gi,
    `$1${redacted}`,
  );
}
