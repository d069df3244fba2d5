/**
 * What a reverse proxy in front of the server changes: the address of the client, which it says in a header, and the path,
 * which has a prefix. Only peers that the operator listed are believed, and only in the one header that he named: a proxy
 * sets its own header and passes on what a client put into the other. Thread: one per HTTP thread.
 */

import { isIP, type BlockList } from "node:net";
import { parseNetworks } from "../config/networks.js";

export interface ProxyOptions {
  /** Addresses and networks of the proxies; none: no header is looked at. */
  readonly trustedProxies: readonly string[];
  /** The header that they write the client's address into, in lower case. */
  readonly proxyHeader: "x-forwarded-for" | "forwarded";
  /** Connections that HTTP/1.0 is passed on over have no address, and say the client's as a trusted proxy does. */
  readonly oldHttp?: boolean;
}

/** A longer way than this many proxies is not followed. */
const maxHops = 32;
/** Peers whose answer is remembered. */
const maxRemembered = 1024;

export class TrustedProxies {
  /** Whose value `clientOf` wants; "": none. */
  readonly header: string;
  private readonly networks: BlockList;
  private readonly none: boolean;
  private readonly oldHttp: boolean;
  private readonly known = new Map<string, boolean>();

  constructor({ trustedProxies, proxyHeader, oldHttp = false }: ProxyOptions) {
    this.networks = parseNetworks(trustedProxies);
    this.oldHttp = oldHttp;
    this.none = trustedProxies.length === 0 && !oldHttp;
    this.header = this.none ? "" : proxyHeader;
  }

  includes(address: string): boolean {
    if (this.none) return false;
    if (address === "") return this.oldHttp;
    let known = this.known.get(address);
    if (known === undefined) {
      const version = isIP(address);
      known = version !== 0 && this.networks.check(address, version === 4 ? "ipv4" : "ipv6");
      if (this.known.size >= maxRemembered) this.known.clear();
      this.known.set(address, known);
    }
    return known;
  }

  /**
   * The client of a request that `peer` sent: going back from the last proxy, the first address that is not a proxy's. What
   * is no address ends the way, as does a peer that is not trusted: what comes before it may be made up.
   */
  clientOf(peer: string, chain: string): string {
    if (chain === "" || !this.includes(peer)) return peer;
    const hops = splitOutsideQuotes(chain, ",").slice(-maxHops);
    let client = peer;
    for (let at = hops.length - 1; at >= 0 && this.includes(client); at--) {
      const text = hops[at] ?? "";
      const address = addressIn(this.header === "forwarded" ? forOf(text) : text);
      if (address === undefined) break;
      client = address;
    }
    return client;
  }
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
function addressIn(text: string): string | undefined {
  const trimmed = text.trim();
  const bare =
    /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed)?.[1] ?? /^([\d.]+)(?::\d{1,5})?$/.exec(trimmed)?.[1] ?? trimmed;
  return isIP(bare) === 0 || bare.includes("%") ? undefined : bare;
}

/** The `for` of one element of Forwarded (RFC 7239 §4), without its quotes. */
function forOf(element: string): string {
  for (const pair of splitOutsideQuotes(element, ";")) {
    const found = /^\s*for\s*=\s*("?)([^"]*)\1\s*$/i.exec(pair);
    if (found) return found[2] ?? "";
  }
  return "";
}

function splitOutsideQuotes(text: string, separator: "," | ";"): string[] {
  if (!text.includes('"')) return text.split(separator);
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (quoted && letter === "\\") at++;
    else if (letter === '"') quoted = !quoted;
    else if (letter === separator && !quoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** What is behind the prefix, beginning with a slash; undefined for a path that is not below it. */
export function below(path: string, base: string): string | undefined {
  if (!path.startsWith(base)) return undefined;
  if (path.length === base.length) return "/";
  return path.charCodeAt(base.length) === slash ? path.slice(base.length) : undefined;
}

const slash = 0x2f;
