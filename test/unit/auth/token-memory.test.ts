import { expect, test } from "vitest";
import { createTokenMemory, maxKeyBytes, TokenReader, tokenKinds, writeToken } from "../../../src/auth/token-memory.js";

test("a reader sees the key of its kind, and the next one as soon as it is written", () => {
  const memory = createTokenMemory();
  const readers = tokenKinds.map((kind) => new TokenReader(memory, kind));
  tokenKinds.forEach((kind, i) => writeToken(memory, kind, { key: `key-${kind}`, expiresAtMs: i }));
  readers.forEach((reader, i) => {
    reader.refresh();
    expect(reader.key.toString("latin1", 0, reader.length)).toBe(`key-${tokenKinds[i]}`);
    expect(reader.expiresAtMs).toBe(i);
  });
  writeToken(memory, "inference", { key: "next", expiresAtMs: undefined });
  const [management, inference] = readers;
  for (const reader of readers) reader.refresh();
  expect(inference?.key.toString("latin1", 0, inference.length)).toBe("next");
  expect(inference?.key.every((byte, i) => byte === 0 || i < 4)).toBe(true);
  expect(inference?.expiresAtMs).toBe(Infinity);
  expect(management?.expiresAtMs).toBe(0);
});

test("a key that does not fit is refused before anything is written", () => {
  const memory = createTokenMemory();
  const long = { key: "x".repeat(maxKeyBytes + 1), expiresAtMs: undefined };
  expect(() => writeToken(memory, "API", long)).toThrow(RangeError);
  expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true);
});
