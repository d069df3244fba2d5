/**
 * Which URLs a model may come from. Closed unless the operator opens it (--allowed-urls). Entries are
 *
 *   https://models.example.com/prod/    a prefix: scheme, host and port are equal, the path is below it
 *   https?://models\.example\.com/.*    TorchServe's form: a regular expression for the whole URL, any case
 *   10.2.0.0/16, fd12::/48, 10.2.0.7    addresses that hosts may have although they are private
 *
 * Pure, but for `resolveHost`, which asks the resolver once and returns the address to connect to.
 */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { addNetwork } from "../config/networks.js";
import type { ServeConfig } from "../config/serve-config.js";
import { UsageError } from "../config/usage-error.js";
import { ServerError } from "../errors.js";

export interface AllowList {
  readonly prefixes: readonly URL[];
  readonly patterns: readonly RegExp[];
  /** Private addresses that are allowed. */
  readonly addresses: BlockList;
}

/** What a server's configuration allows: what is listed, and the folder of the multi-model API where that is on. */
export function allowListOf({
  allowedUrls,
  multiModel,
  multiModelRoot,
}: Pick<ServeConfig, "allowedUrls" | "multiModel" | "multiModelRoot">): AllowList {
  const listed = parseAllowList(allowedUrls);
  if (!multiModel) return listed;
  return { ...listed, prefixes: [...listed.prefixes, pathToFileURL(`${resolve(multiModelRoot)}/`)] };
}

/** Throws UsageError for an entry that is none of the three. */
export function parseAllowList(entries: readonly string[]): AllowList {
  const addresses = new BlockList();
  const prefixes: URL[] = [];
  const patterns: RegExp[] = [];
  for (const entry of entries.map((each) => each.trim()).filter((each) => each !== "")) {
    if (addAddress(addresses, entry)) continue;
    if (/[\\*+?^$()[\]|{}]/.test(entry.replace(/^\w+:\/\/\[[0-9a-f:.]+\]/i, ""))) patterns.push(pattern(entry));
    else prefixes.push(prefix(entry));
  }
  return { prefixes, patterns, addresses };
}

function addAddress(list: BlockList, entry: string): boolean {
  try {
    return addNetwork(list, entry);
  } catch (error) {
    throw bad(entry, error instanceof Error ? error.message : String(error));
  }
}

function bad(entry: string, why: string): UsageError {
  const expected = "expected a URL's beginning such as https://host/path/, a regular expression, or an address";
  return new UsageError(`--allowed-urls: ${JSON.stringify(entry)}: ${why}; ${expected}`);
}

function pattern(entry: string): RegExp {
  try {
    return new RegExp(`^(?:${entry})$`, "i");
  } catch (error) {
    throw bad(entry, error instanceof Error ? error.message : String(error));
  }
}

function prefix(entry: string): URL {
  const url = URL.canParse(entry) ? new URL(entry) : undefined;
  if (!url || !["http:", "https:", "file:"].includes(url.protocol)) throw bad(entry, "is no http, https or file URL");
  if (url.search !== "" || url.hash !== "" || url.username !== "")
    throw bad(entry, "has more than scheme, host, port, path");
  return url;
}

/** Whether an entry covers the URL, which is canonical. */
export function allows(list: AllowList, url: URL): boolean {
  return list.prefixes.some((each) => below(each, url)) || list.patterns.some((each) => each.test(url.href));
}

function below(prefixUrl: URL, url: URL): boolean {
  if (prefixUrl.protocol !== url.protocol || prefixUrl.host !== url.host) return false;
  const path = prefixUrl.pathname;
  return url.pathname === path || url.pathname.startsWith(path.endsWith("/") ? path : `${path}/`);
}

/** Addresses inside somebody's network, and those where clouds keep their secrets. */
function privateAddresses(): BlockList {
  const list = new BlockList();
  const v4 =
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32";
  const v6 = "::/128 ::1/128 64:ff9b::/96 64:ff9b:1::/48 2001::/32 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8";
  for (const each of `${v4} ${v6}`.split(" ")) addAddress(list, each);
  return list;
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

const systemResolve: Resolve = (host) => lookup(host, { all: true, verbatim: true });

/**
 * The address to connect to. Every address of the host must be public, or listed, or be the host's own name in a prefix that
 * covers the URL; a name that resolves to one good and one bad address is refused. Rejects with ServerError.
 */
export async function resolveHost(
  list: AllowList,
  url: URL,
  shown: string,
  resolve: Resolve = systemResolve,
): Promise<{ readonly address: string; readonly family: number }> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const version = isIP(host);
  const found = version === 0 ? await resolve(host) : [{ address: host, family: version }];
  const [first] = found;
  if (!first) throw new Error(`${host} has no address`);
  const literal = version !== 0 && list.prefixes.some((each) => below(each, url));
  const inner = privateAddresses();
  for (const { address, family } of found) {
    const kind = family === 6 ? "ipv6" : "ipv4";
    if (literal || !inner.check(address, kind) || list.addresses.check(address, kind)) continue;
    throw new ServerError(
      "model_not_found",
      `Given URL ${shown} does not match any allowed URL(s): ${host} is the private address ${address}; --allowed-urls must list the address too`,
    );
  }
  return first;
}
