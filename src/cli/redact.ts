/** Takes out of a support bundle what a ticket must not hold. Pure: what names this machine and user comes in. */
import { redacted, redactLine } from "../telemetry/secrets.js";

export interface Own {
  readonly home: string;
  readonly hostname: string;
}

/** Keys whose values are never shown, whatever they are. */
const secretKey = /pass(word)?$|secret|token$|^authorization$|^cookie$|api[-_]?key/i;
/** Longest text that is looked through; the rest of a longer one is left out. */
const maxText = 4 * 1024 * 1024;

/** The same value with secrets, URLs' user and query parts, keys, the home folder and the machine's name taken out. */
export function redact(value: unknown, own: Own): unknown {
  if (typeof value === "string") return redactText(value, own);
  if (Array.isArray(value)) return value.map((each) => redact(each, own));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, each]) => [key, redactEntry(key, each, own)]);
  return Object.fromEntries(entries) as unknown;
}

/** A secret may also be `{ value, origin }`, as `config show` has it. */
function redactEntry(key: string, value: unknown, own: Own): unknown {
  if (!secretKey.test(key) || value === null || typeof value === "boolean") return redact(value, own);
  if (typeof value === "object" && "origin" in value) {
    return {
      ...(redact(value, own) as object),
      value: "value" in value && typeof value.value === "boolean" ? value.value : redacted,
    };
  }
  return redacted;
}

export function redactText(text: string, { home, hostname }: Own): string {
  let clean = redactLine(text.slice(0, maxText));
  if (home.length > 1) clean = clean.replaceAll(home, "~");
  return hostname.length > 2 && hostname !== "localhost" ? clean.replaceAll(hostname, "host") : clean;
}
