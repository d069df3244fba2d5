import { expect, test } from "vitest";
import { redact, redactText } from "../../../src/cli/redact.js";

const own = { home: "/home/ann", hostname: "build-7" };

test("secrets go by their keys, whatever they hold; what they are not stays", () => {
  const config = {
    keystorePass: { value: "hunter2", origin: "SCONCE_KEYSTORE_PASS" },
    tokenAuth: { value: true, origin: "default" },
    password: ["a"],
    authorization: "x",
    apiKey: "k",
    port: 8080,
    nothing: null,
    nested: [{ clientSecret: { deep: "s" } }],
  };
  expect(redact(config, own)).toEqual({
    keystorePass: { value: "(redacted)", origin: "SCONCE_KEYSTORE_PASS" },
    tokenAuth: { value: true, origin: "default" },
    password: "(redacted)",
    authorization: "(redacted)",
    apiKey: "(redacted)",
    port: 8080,
    nothing: null,
    nested: [{ clientSecret: "(redacted)" }],
  });
});

test.each([
  ["https://ann:pw@store.example/m.mar?sig=abc#x", "https://(redacted)@store.example/m.mar?(redacted)"],
  ["c.properties:3 keystore_pass=hunter2 is odd", "c.properties:3 keystore_pass=(redacted) is odd"],
  ["said Bearer abc.def-g= and went", "said Bearer (redacted) and went"],
  ["/home/ann/models/m.pt on build-7", "~/models/m.pt on host"],
  ["a -----BEGIN EC PRIVATE KEY-----\nMIG\n-----END EC PRIVATE KEY----- b", "a (redacted) b"],
  ["cut -----BEGIN PRIVATE KEY-----\nMIG", "cut (redacted)"],
  ["what? nothing://here is fine", "what? nothing://here is fine"],
])("%s", (text, clean) => {
  expect(redactText(text, own)).toBe(clean);
});
