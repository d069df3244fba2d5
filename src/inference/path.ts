/** What every API's paths have in common: how a path is taken apart, and the rule for the names in it. Pure. */

/** The one rule for model names, in every API. */
const nameRule = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const maxNameLength = 128;

export function isModelName(name: string): boolean {
  return name.length <= maxNameLength && nameRule.test(name) && !name.includes("..");
}

/** For a client whose path `decodeSegments` refuses. */
export const undecodable = "The path holds a control character or an escape that is not UTF-8.";

/**
 * A path as sent, without the query. A trailing slash is harmless, every segment is percent-decoded once. Undefined for an
 * escape that does not decode, or a control character once decoded.
 */
export function decodeSegments(path: string): string[] | undefined {
  const end = path.length > 1 && path.endsWith("/") ? path.length - 1 : path.length;
  const segments = path.slice(1, end).split("/");
  if (!path.includes("%") && isPlain(path)) return segments;
  try {
    const decoded = segments.map((each) => decodeURIComponent(each));
    return decoded.every(isPlain) ? decoded : undefined;
  } catch {
    return undefined;
  }
}

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return false;
  }
  return true;
}
