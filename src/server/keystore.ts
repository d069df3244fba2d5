/**
 * PKCS12 keystores (`keytool`'s and `openssl pkcs12`'s) → PEM, which is what the TLS library below reads. The only importer
 * of node-forge: Node.js reads such a store for its own TLS but does not give the key away. Pure.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createRequire } from "node:module";
import type Forge from "node-forge";

export interface KeystoreContent {
  readonly certificate: string;
  readonly key: string;
}

const require = createRequire(import.meta.url);
/** Loaded with the first keystore: it would lengthen every start by 50 ms of CPU. */
const library = (): typeof Forge => require("node-forge") as typeof Forge;

/** Java's own format before version 9. */
const jksMagic = Buffer.from("feedfeed", "hex");

/** Throws an Error that says what is wrong with the store, without its path. */
export function readKeystore(bytes: Buffer, password: string): KeystoreContent {
  if (bytes.subarray(0, 4).equals(jksMagic)) {
    throw new Error("is a JKS store; make it PKCS12: keytool -importkeystore -deststoretype PKCS12");
  }
  const store = open(bytes, password);
  const key = keyOf(store);
  const certificates = certificatesOf(store);
  const own = certificates.find((each) => each.checkPrivateKey(key));
  if (own === undefined) throw new Error("holds no certificate of its private key");
  const chain = [own, ...certificates.filter((each) => each !== own)];
  return {
    certificate: chain.map((each) => each.toString()).join(""),
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function open(bytes: Buffer, password: string): Forge.pkcs12.Pkcs12Pfx {
  const forge = library();
  let asn1: Forge.asn1.Asn1;
  try {
    asn1 = forge.asn1.fromDer(bytes.toString("latin1"));
  } catch {
    throw new Error("is not a PKCS12 store");
  }
  try {
    return forge.pkcs12.pkcs12FromAsn1(asn1, false, password);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      /password|MAC/i.test(why) ? "does not open with this password (--keystore-pass)" : `cannot be read: ${why}`,
      { cause: error },
    );
  }
}

function bags(store: Forge.pkcs12.Pkcs12Pfx, type: string | undefined): readonly Forge.pkcs12.Bag[] {
  return type === undefined ? [] : (store.getBags({ bagType: type })[type] ?? []);
}

function keyOf(store: Forge.pkcs12.Pkcs12Pfx): KeyObject {
  const { pkcs8ShroudedKeyBag, keyBag } = library().pki.oids;
  const [bag] = [...bags(store, pkcs8ShroudedKeyBag), ...bags(store, keyBag)];
  if (bag === undefined) throw new Error("holds no private key");
  if (bag.key) return createPrivateKey(library().pki.privateKeyToPem(bag.key));
  // Keys that are not RSA stay in their encoding.
  return createPrivateKey({ key: der(bag.asn1), format: "der", type: "pkcs8" });
}

function certificatesOf(store: Forge.pkcs12.Pkcs12Pfx): readonly X509Certificate[] {
  return bags(store, library().pki.oids["certBag"]).map(
    (bag) => new X509Certificate(bag.cert ? library().pki.certificateToPem(bag.cert) : der(bag.asn1)),
  );
}

function der(asn1: Forge.asn1.Asn1): Buffer {
  return Buffer.from(library().asn1.toDer(asn1).getBytes(), "latin1");
}
