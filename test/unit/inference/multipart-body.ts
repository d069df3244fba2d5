/** Multipart bodies as the tests of forms write them, with the boundary x. */

export const type = "multipart/form-data; boundary=x";
export const bytes = (text: string) => Buffer.from(text, "latin1");
export const text = (value: Uint8Array) => Buffer.from(value).toString("latin1");
export const part = (head: string, body: string) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
export const file = (name: string, fileName: string, kind: string, body: string) =>
  part(`name="${name}"; filename="${fileName}"\r\nContent-Type: ${kind}`, body);
export const end = "--x--\r\n";
