/** Lists of addresses and networks in options: 10.0.0.7, 10.2.0.0/16, fd12::/48. Pure. */
import { BlockList, isIP } from "node:net";

/** Adds an entry; false where it is none, an Error where it begins as one and is wrong. */
export function addNetwork(list: BlockList, entry: string): boolean {
  const [address = "", bits, ...rest] = entry.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  const width = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) throw new Error("its network has no number of bits");
  list.addSubnet(address, width, version === 4 ? "ipv4" : "ipv6");
  return true;
}

export function areNetworks(entries: readonly string[]): boolean {
  try {
    return entries.every((entry) => addNetwork(new BlockList(), entry));
  } catch {
    return false;
  }
}

/** Of entries that are networks. */
export function parseNetworks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) addNetwork(list, entry);
  return list;
}
