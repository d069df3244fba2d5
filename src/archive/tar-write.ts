/** The blocks of a tar archive around its files' bytes, without owner or date. Pure. */
import { Header, Pax } from "tar";

const block = 512;

/** A regular file's header; with an extended one before it when the name or size asks for it. */
export function tarHeader(name: string, size: number): Buffer {
  const fields = { path: name, size, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: "File" } as const;
  const buffer = Buffer.alloc(block);
  if (!new Header(fields).encode(buffer)) return buffer;
  const { path } = fields;
  return Buffer.concat([new Pax({ path, size }).encode(), buffer]);
}

/** What fills a file up to a whole block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

export const tarEnd: Buffer = Buffer.alloc(2 * block);
