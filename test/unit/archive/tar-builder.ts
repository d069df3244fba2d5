/** Tar archives written by hand, header by header, so that tests can lie in any field. */
import { gzipSync } from "node:zlib";

export interface TarEntry {
  readonly name: string;
  readonly data?: Buffer | string;
  /** "0" file, "1" hard link, "2" symbolic link, "3" device, "5" folder, "6" pipe, "S" sparse, "x" extended header… */
  readonly type?: string;
  readonly mode?: number;
  readonly link?: string;
  /** Fields that lie. */
  readonly size?: number;
  readonly checksum?: number;
}

const block = 512;
const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;

function header(entry: TarEntry, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(entry.name, 0, 100, "latin1");
  bytes.write(octal(entry.mode ?? 0o644, 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  bytes.write(octal(entry.size ?? size, 12), 124);
  bytes.write(octal(0, 12), 136);
  bytes.write("        ", 148);
  bytes.write(entry.type ?? "0", 156);
  bytes.write(entry.link ?? "", 157, 100, "latin1");
  bytes.write("ustar\u000000", 257);
  const sum = entry.checksum ?? bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

export function buildTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.map((entry) => {
    const data = Buffer.from(entry.data ?? "");
    return Buffer.concat([header(entry, data.length), data, Buffer.alloc((block - (data.length % block)) % block)]);
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

export const buildTgz = (entries: readonly TarEntry[]): Buffer => gzipSync(buildTar(entries));

/** The extended header that gives the next entry another name or size. */
export function pax(fields: Readonly<Record<string, string>>): TarEntry {
  const records = Object.entries(fields).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest) + 1;
    while (`${length}${rest}`.length < length || Buffer.byteLength(`${length}${rest}`) > length) length++;
    return `${length}${rest}`;
  });
  return { name: "PaxHeader", type: "x", data: records.join("") };
}
