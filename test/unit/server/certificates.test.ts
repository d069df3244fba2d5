import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Certificate, CertificateWatch, readCertificate, withFiles } from "../../../src/server/certificates.js";
import { createLog } from "../../../src/telemetry/log.js";

const fixture = (name: string): string => join(import.meta.dirname, "../../fixtures/tls", name);
const none = { certificateFile: undefined, privateKeyFile: undefined, keystore: undefined, keystorePass: "changeit" };
const first = { ...none, certificateFile: fixture("first.pem"), privateKeyFile: fixture("first-key.pem") };

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "sconce-certificates-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("readCertificate", () => {
  test("takes PEM files, or a keystore, which wins", () => {
    expect(readCertificate(first).subject).toBe("CN=first");
    expect(readCertificate({ ...first, keystore: fixture("java.p12") }).subject).toBe("CN=java");
  });

  test.each([
    [none, /--certificate-file and --private-key-file.*--keystore/],
    [{ ...first, privateKeyFile: undefined }, /--private-key-file/],
    [{ ...first, certificateFile: "/nowhere.pem" }, /--certificate-file \/nowhere\.pem: .*ENOENT/],
    [{ ...first, certificateFile: fixture("second.pem") }, /second\.pem: is not the certificate of --private-key-file/],
    [{ ...first, certificateFile: fixture("first-key.pem") }, /--certificate-file .*holds no PEM certificate/],
    [{ ...first, privateKeyFile: fixture("first.pem") }, /--private-key-file .*holds no PEM private key/],
    [{ ...first, privateKeyFile: fixture("encrypted-key.pem") }, /--private-key-file .*is encrypted/],
    [{ ...none, keystore: fixture("rsa.p12"), keystorePass: "no" }, /--keystore .*rsa\.p12: does not open with this/],
    [{ ...none, keystore: "/" }, /--keystore \/: /],
  ])("refuses %#", (config, words) => {
    expect(() => readCertificate(config)).toThrow(words);
  });

  test("no huge file is read", () => {
    writeFileSync(join(folder, "huge.pem"), Buffer.alloc(1024 * 1024 + 1));
    expect(() => readCertificate({ ...first, certificateFile: join(folder, "huge.pem") })).toThrow(
      /over 1048576 bytes/,
    );
  });
});

test("the files are this user's alone and gone afterwards, also after a failure", async () => {
  let seen = "";
  const failing = withFiles(readCertificate(first), (files) => {
    seen = files.key;
    expect(statSync(files.key).mode & 0o777).toBe(0o600);
    expect(readFileSync(files.certificate, "utf8")).toBe(readFileSync(fixture("first.pem"), "utf8"));
    return Promise.reject(new Error("no"));
  });
  await expect(failing).rejects.toThrow("no");
  expect(existsSync(seen)).toBe(false);
});

test("changed files are taken up when they fit together; those that do not change nothing and are said once", async () => {
  const config = { ...none, certificateFile: join(folder, "c.pem"), privateKeyFile: join(folder, "k.pem") };
  const put = (name: string, to: string): void => copyFileSync(fixture(name), join(folder, to));
  put("first.pem", "c.pem");
  put("first-key.pem", "k.pem");
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "text", write: (line) => void lines.push(line) });
  const renewed: Certificate[] = [];
  const renew = (next: Certificate): Promise<void> => Promise.resolve(void renewed.push(next));
  vi.useFakeTimers();
  const watch = new CertificateWatch(config, readCertificate(config), log, renew);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(renewed).toEqual([]);
  put("second.pem", "c.pem");
  await vi.advanceTimersByTimeAsync(30_000);
  expect([renewed.length, lines.filter((line) => line.includes("not renewed")).length]).toEqual([0, 1]);
  put("second-key.pem", "k.pem");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(renewed.map((each) => each.subject)).toEqual(["CN=second"]);
  put("first.pem", "c.pem");
  put("first-key.pem", "k.pem");
  process.emit("SIGHUP");
  await vi.advanceTimersByTimeAsync(0);
  expect(renewed.map((each) => each.subject)).toEqual(["CN=second", "CN=first"]);
  watch.close();
  vi.useRealTimers();
});
