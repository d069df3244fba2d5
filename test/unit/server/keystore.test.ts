import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readKeystore } from "../../../src/server/keystore.js";

const store = (name: string): Buffer => readFileSync(join(import.meta.dirname, "../../fixtures/tls", name));

test.each([
  ["rsa.p12", "CN=rsa"],
  ["elliptic.p12", "CN=first"],
  ["legacy.p12", "CN=rsa"],
  ["java.p12", "CN=java"],
])("%s gives a certificate and its key", (name, subject) => {
  const { certificate, key } = readKeystore(store(name), "changeit");
  const first = new X509Certificate(certificate);
  expect(first.subject).toBe(subject);
  expect(first.checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test("what does not open says why", () => {
  expect(() => readKeystore(store("rsa.p12"), "other")).toThrow(/password \(--keystore-pass\)/);
  expect(() => readKeystore(Buffer.from("feedfeed00000002", "hex"), "")).toThrow(/JKS.*keytool -importkeystore/);
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from("no store"),
    store("rsa.p12").subarray(0, 700),
    store("first.pem"),
  ]) {
    expect(() => readKeystore(bytes, "changeit")).toThrow("is not a PKCS12 store");
  }
});
