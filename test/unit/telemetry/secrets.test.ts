import { expect, test } from "vitest";
import { redactLine, redactSecrets } from "../../../src/telemetry/secrets.js";

test.each([
  ["https://ann:pw@store.example/m.mar?sig=abc", "https://(redacted)@store.example/m.mar?(redacted)"],
  ["Authorization: Bearer abc.def-g= end", "Authorization: Bearer (redacted) end"],
  ["-----BEGIN EC PRIVATE KEY-----\nMIG", "(redacted)"],
  ["token=left as it is", "token=left as it is"],
])("%s", (text, clean) => {
  expect(redactSecrets(text)).toBe(clean);
});

test.each([
  ["password=hunter2 ok", "password=(redacted) ok"],
  ['{"api_key": "k1", "n": 2}', '{"api_key": "(redacted)", "n": 2}'],
  ["AWS_SECRET: x, next", "AWS_SECRET: (redacted), next"],
  ["tokens: 12 of 20", "tokens: 12 of 20"],
  ["authorization: Bearer abc", "authorization: Bearer (redacted)"],
])("a line of others: %s", (text, clean) => {
  expect(redactLine(text)).toBe(clean);
});
