import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readKeyFile } from "../../../src/auth/key-file.js";
import { TokenCheck } from "../../../src/auth/token-check.js";
import { TokenIssuer } from "../../../src/auth/token-issuer.js";

const root = mkdtempSync(join(tmpdir(), "sconce-tokens-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;

function make() {
  const folder = mkdtempSync(join(root, `${serial++}-`));
  const path = join(folder, "key_file.json");
  const issuer = new TokenIssuer({ path, expirationMs: 60_000, now: () => Date.UTC(2026, 0, 1) });
  return { folder, path, issuer, check: new TokenCheck(issuer.memory, () => Date.UTC(2026, 0, 1)) };
}

describe("TokenIssuer", () => {
  test("the key file has TorchServe's form, for its owner's eyes only", () => {
    const { issuer, path, check, folder } = make();
    expect(existsSync(path)).toBe(false);
    issuer.publish();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const key = expect.stringMatching(/^[\w-]{43}$/) as unknown;
    const timed = { key, "expiration time": "2026-01-01T00:01:00.000Z" };
    const file = readKeyFile(path);
    expect(file).toEqual({ management: timed, inference: timed, API: { key } });
    expect(check.allows("inference", `Bearer ${file?.inference?.key ?? ""}`)).toBe(true);
    expect(readdirSync(folder)).toEqual(["key_file.json"]);
  });

  test("rotate changes one key, in the file and for every reader", () => {
    const { issuer, path, check } = make();
    issuer.publish();
    const before = readKeyFile(path);
    issuer.rotate("inference");
    const after = readKeyFile(path);
    expect(after?.management).toEqual(before?.management);
    expect(after?.inference?.key).not.toBe(before?.inference?.key);
    expect(check.allows("inference", `Bearer ${before?.inference?.key ?? ""}`)).toBe(false);
    expect(check.allows("inference", `Bearer ${after?.inference?.key ?? ""}`)).toBe(true);
  });

  test("a file that cannot be written leaves the old key in force and nothing behind", () => {
    const { issuer, path, check, folder } = make();
    issuer.publish();
    const before = readKeyFile(path);
    rmSync(path);
    chmodSync(folder, 0o500);
    const asRoot = process.getuid?.() === 0;
    if (asRoot) rmSync(folder, { recursive: true });
    expect(() => issuer.rotate("inference")).toThrow();
    expect(check.allows("inference", `Bearer ${before?.inference?.key ?? ""}`)).toBe(true);
    if (!asRoot) expect(readdirSync(folder)).toEqual([]);
  });

  test("a link in the file's place is replaced, not followed", () => {
    const { issuer, path, folder } = make();
    writeFileSync(join(folder, "target"), "mine");
    symlinkSync(join(folder, "target"), path);
    issuer.publish();
    expect(statSync(join(folder, "target")).size).toBe(4);
    expect(readKeyFile(path)?.API?.key).toBeDefined();
  });

  test("close removes its own file only", () => {
    const first = make();
    first.issuer.publish();
    const second = new TokenIssuer({ path: first.path, expirationMs: 1000 });
    second.publish();
    first.issuer.close();
    expect(existsSync(first.path)).toBe(true);
    second.close();
    expect(existsSync(first.path)).toBe(false);
    second.close();
  });
});
