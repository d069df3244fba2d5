/** Where in a request the picture is. Pure. */

import { ServerError } from "../errors.js";

/** In neither of base64's alphabets, and no line break or space, which are common there. */
const notBase64 = /[^\w+/=\s-]/;

/** How base64 of a JPEG, PNG, GIF and WebP begins; no picture itself does. */
const base64Heads = ["/9j/", "iVBORw0K", "R0lGOD", "UklGR"].map((text) => Buffer.from(text));

/** The picture's own bytes: the body itself, or what its base64 text says, plain or in JSON. */
export function pictureBytes(body: Uint8Array, maxBytes: number): Uint8Array {
  const first = firstText(body);
  if (first !== '"' && first !== "{") {
    const isText = base64Heads.some((head) => head.every((byte, i) => body[i] === byte));
    return isText
      ? decoded(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), maxBytes)
      : body;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch (cause) {
    throw new ServerError(
      "bad_request",
      "The body looks like JSON but does not parse; send picture bytes or base64 in JSON.",
      { cause },
    );
  }
  const text = base64Of(parsed);
  if (text === undefined) {
    throw new ServerError("bad_request", 'Expected picture bytes, a base64 JSON string, or {"data": "<base64>"}.');
  }
  return decoded(text, maxBytes);
}

function decoded(text: string, maxBytes: number): Uint8Array {
  if (notBase64.test(text)) {
    throw new ServerError("bad_request", "The text that should be a picture's base64 has other characters in it.");
  }
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0) throw new ServerError("bad_request", "The base64 text holds no bytes.");
  if (bytes.length > maxBytes)
    throw new ServerError("payload_too_large", "The decoded picture is over --max-request-size.");
  return bytes;
}

function firstText(body: Uint8Array): string {
  for (const byte of body.subarray(0, 16)) {
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return String.fromCharCode(byte);
  }
  return "";
}

function base64Of(parsed: unknown): string | undefined {
  if (typeof parsed === "string") return stripDataUrl(parsed);
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) return undefined;
  const record = parsed as Readonly<Record<string, unknown>>;
  return base64Of(record["data"] ?? record["body"] ?? record["b64"] ?? null);
}

function stripDataUrl(text: string): string {
  const comma = text.startsWith("data:") ? text.indexOf(",") : -1;
  return comma < 0 ? text : text.slice(comma + 1);
}
