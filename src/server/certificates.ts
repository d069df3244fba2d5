/**
 * The server's certificate and key: read, checked against each other, handed to the TLS library as private temporary files
 * that live only while apps are made from them, and read again when the operator's files change. Main thread.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServeConfig } from "../config/serve-config.js";
import { UsageError } from "../config/usage-error.js";
import type { TlsFiles } from "../http/raw.js";
import type { Log } from "../telemetry/log.js";
import { readKeystore } from "./keystore.js";

export type CertificateConfig = Pick<ServeConfig, "certificateFile" | "privateKeyFile" | "keystore" | "keystorePass">;

/** PEM texts that belong together. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly subject: string;
  readonly validTo: Date;
}

/** A certificate chain or a key is a few kilobytes. */
const maxFileBytes = 1024 * 1024;
/** How often the files are looked at. */
const pollMs = 10_000;

/** Throws UsageError naming option, file and fault. A keystore wins over PEM files, as in TorchServe. */
export function readCertificate(config: CertificateConfig): Certificate {
  const { keystore, certificateFile, privateKeyFile } = config;
  if (keystore !== undefined) {
    const bytes = readSmall("keystore", keystore);
    try {
      return paired(readKeystore(bytes, config.keystorePass), "keystore", keystore);
    } catch (error) {
      throw error instanceof UsageError ? error : fault("keystore", keystore, error);
    }
  }
  if (certificateFile === undefined || privateKeyFile === undefined) {
    throw new UsageError("TLS needs --certificate-file and --private-key-file (PEM), or --keystore (PKCS12)");
  }
  const certificate = readSmall("certificate-file", certificateFile).toString();
  const key = readSmall("private-key-file", privateKeyFile).toString();
  parseKey(key, privateKeyFile);
  return paired({ certificate, key }, "certificate-file", certificateFile);
}

function readSmall(flag: string, path: string): Buffer {
  try {
    if (statSync(path).size > maxFileBytes) throw new Error(`is over ${maxFileBytes} bytes`);
    return readFileSync(path);
  } catch (error) {
    throw fault(flag, path, error);
  }
}

function fault(flag: string, path: string, error: unknown): UsageError {
  return new UsageError(`--${flag} ${path}: ${error instanceof Error ? error.message : String(error)}`);
}

function parseKey(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const encrypted = pem.includes("ENCRYPTED");
    const why = encrypted
      ? "is encrypted; give it without a passphrase, or in a --keystore"
      : "holds no PEM private key";
    throw fault("private-key-file", path, new Error(why));
  }
}

function paired(pems: { readonly certificate: string; readonly key: string }, flag: string, path: string): Certificate {
  let first: X509Certificate;
  try {
    first = new X509Certificate(pems.certificate);
  } catch {
    throw fault(flag, path, new Error("holds no PEM certificate"));
  }
  if (!first.checkPrivateKey(createPrivateKey(pems.key))) {
    throw fault(
      flag,
      path,
      new Error("is not the certificate of --private-key-file; the server's own must come first"),
    );
  }
  return { ...pems, subject: first.subject.replaceAll("\n", ", "), validTo: new Date(first.validTo) };
}

/** Gives the certificate as files that exist, for this user alone, until `make` has ended. In memory where there is a place. */
export async function withFiles<T>(of: Certificate, make: (files: TlsFiles) => Promise<T>): Promise<T> {
  const folder = privateFolder();
  try {
    const files = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
    writeFileSync(files.certificate, of.certificate, { mode: 0o600 });
    writeFileSync(files.key, of.key, { mode: 0o600 });
    return await make(files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function privateFolder(): string {
  try {
    return mkdtempSync("/dev/shm/sconce-tls-");
  } catch {
    return mkdtempSync(join(tmpdir(), "sconce-tls-"));
  }
}

/** Watches the files; what does not read, or is the same as before, changes nothing. SIGHUP looks at once. */
export class CertificateWatch {
  private readonly timer: NodeJS.Timeout;
  private stamp: string;
  private current: Certificate;
  private busy = false;
  /** A look was asked for while another went on. */
  private again = false;
  private readonly config: CertificateConfig;
  private readonly log: Log;
  private readonly renew: (certificate: Certificate) => Promise<void>;
  private readonly look = (): void => void this.changed(true);

  constructor(
    config: CertificateConfig,
    current: Certificate,
    log: Log,
    renew: (certificate: Certificate) => Promise<void>,
  ) {
    this.config = config;
    this.current = current;
    this.log = log;
    this.renew = renew;
    this.stamp = stampOf(config);
    tellExpiry(current, log);
    this.timer = setInterval(() => void this.changed(false), pollMs).unref();
    process.on("SIGHUP", this.look);
  }

  close(): void {
    clearInterval(this.timer);
    process.off("SIGHUP", this.look);
  }

  private async changed(asked: boolean): Promise<void> {
    const stamp = stampOf(this.config);
    if (this.busy) {
      this.again ||= asked;
      return;
    }
    if (stamp === this.stamp && !asked) return;
    this.busy = true;
    try {
      const next = readCertificate(this.config);
      if (next.certificate !== this.current.certificate || next.key !== this.current.key) {
        await this.renew(next);
        this.current = next;
        this.log.info("certificate renewed", { subject: next.subject, validTo: next.validTo.toISOString() });
        tellExpiry(next, this.log);
      }
      this.stamp = stamp;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      // Said once per state of the files; the old certificate goes on.
      this.stamp = stamp;
      this.log.error("the certificate was not renewed", { reason: why });
    } finally {
      this.busy = false;
    }
    if (!this.again) return;
    this.again = false;
    await this.changed(true);
  }
}

function stampOf({ certificateFile, privateKeyFile, keystore }: CertificateConfig): string {
  const paths = keystore === undefined ? [certificateFile, privateKeyFile] : [keystore];
  return paths
    .map((path) => {
      const stats = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
      return stats === undefined ? "-" : `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
    })
    .join(" ");
}

function tellExpiry({ subject, validTo }: Certificate, log: Log): void {
  if (validTo.getTime() < Date.now())
    log.warn("the certificate has expired", { subject, validTo: validTo.toISOString() });
}
