/** URLs of models in one form: what is checked against the allow-list is what is asked for. Pure. */
import { ServerError } from "../errors.js";
import { redactSecrets } from "../telemetry/secrets.js";
import { allows, type AllowList } from "./allow-list.js";

export interface ModelUrl {
  /** Canonical, without a fragment. */
  readonly url: URL;
  /** For messages and describe: without query (which may hold a signature) and fragment. */
  readonly shown: string;
  /** What `#sha256=…` says the bytes must be; hex. */
  readonly sha256?: string;
}

/** Whether the word is a URL and no path. */
export const isUrl = (word: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(word);

/** The word for logs and messages: of a URL, without name, password, query and fragment. */
export function shownUrl(word: string): string {
  if (!isUrl(word)) return word;
  // What is no URL may be one with a password that nobody encoded.
  if (!URL.canParse(word)) return word.replace(/:\/\/.*@/s, "://").replace(/[?#].*$/s, "");
  const { protocol, host, pathname } = new URL(word);
  return `${protocol}//${host}${pathname}`;
}

const maxUrlBytes = 4096;

/** Rejects with ServerError model_not_found, in TorchServe's words where it has some, unless the list covers the URL. */
export function allowedUrl(word: string, list: AllowList): ModelUrl {
  const raw = /^[^#?]*/.exec(word)?.[0] ?? "";
  if (Buffer.byteLength(word) > maxUrlBytes) throw missing(`The URL has over ${maxUrlBytes} bytes`);
  // Before the URL parser takes the dots away: whoever writes them means something else than he says.
  const plain = raw.replaceAll(/%2e/gi, ".");
  if (/(^|[/\\])\.\.([/\\]|$)/.test(plain)) throw missing(`Relative path is not allowed in url: ${redactSecrets(raw)}`);
  const shown = raw.includes("@") || !URL.canParse(word) ? shownUrl(word) : raw;
  const refused = `Given URL ${shown} does not match any allowed URL(s)`;
  if (!URL.canParse(word)) throw missing(`${refused}: it is no URL`);
  const url = new URL(word);
  if (!["http:", "https:", "file:"].includes(url.protocol))
    throw missing(`${refused}: only http, https and file are read`);
  if (url.username !== "" || url.password !== "") throw missing(`${refused}: it holds a name or password`);
  if (/%2f|%5c|%00/i.test(url.pathname) || raw.includes("\\"))
    throw missing(`${refused}: its path holds an encoded slash`);
  if (url.protocol === "file:" && url.host !== "") throw missing(`${refused}: a file URL names no host`);
  const pin = pinOf(url.hash, refused);
  url.hash = "";
  url.hostname = url.hostname.replace(/\.$/, "");
  if (!allows(list, url)) throw missing(`${refused} (--allowed-urls)`);
  return { url, shown: shownUrl(url.href), ...(pin === undefined ? {} : { sha256: pin }) };
}

function pinOf(hash: string, refused: string): string | undefined {
  if (hash === "") return undefined;
  const [, hex] = /^#sha256=([0-9a-f]{64})$/i.exec(hash) ?? [];
  if (hex === undefined) throw missing(`${refused}: what follows # must be sha256= and 64 hex digits`);
  return hex.toLowerCase();
}

function missing(message: string): ServerError {
  return new ServerError("model_not_found", message);
}
