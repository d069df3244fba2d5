import { expect, test } from "vitest";
import { redactLine, redactSecrets } from "../../../src/telemetry/secrets.js";

test.each([
  ["https://ann:pw@store.example/m.mar?sig=abc", "https://(redacted)@store.example/m.mar?(redacted)"],
  ["https?://ann:pw@store\\.example/(.*", "https?://(redacted)@store\\.example/(.*"],
  ["https://ann:p/w@store/m.mar", "https://(redacted)@store/m.mar"],
  ["file:///srv/node_modules/@a/b.js:10:5", "file:///srv/node_modules/@a/b.js:10:5"],
  ["http://localhost:8080/a@b", "http://localhost:8080/a@b"],
  ["Authorization: Bearer abc.def-g= end", "Authorization: Bearer (redacted) end"],
  ["-----BEGIN EC PRIVATE KEY-----\nMIG", "(redacted)"],
  ["token=left as it is", "token=left as it is"],
])("%s", (text, clean) => {
  expect(redactSecrets(text)).toBe(clean);
});

test.each([
  ["password=hunter2 ok", "password=(redacted) ok"],
  ['{"api_key": "k1", "n": 2}', '{"api_key": "(redacted)", "n": 2}'],
  ["keystore_pass=changeit", "keystore_pass=(redacted)"],
  ["AWS_SECRET_ACCESS_KEY=x", "AWS_SECRET_ACCESS_KEY=(redacted)"],
  ["AWS_SECRET: x, next", "AWS_SECRET: (redacted), next"],
  ["tokens: 12 of 20", "tokens: 12 of 20"],
  ["authorization: Bearer abc", "authorization: Bearer (redacted)"],
])("a line of others: %s", (text, clean) => {
  expect(redactLine(text)).toBe(clean);
});
