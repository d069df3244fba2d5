import { expect, test } from "vitest";
import { decodeText } from "../../../src/config/text-file.js";

test.each([
  ["UTF-8", Buffer.from("store=/é"), "store=/é"],
  ["UTF-8 with a mark, as Windows writes it", Buffer.from("\ufeffstore=/é"), "store=/é"],
  ["Latin-1, as Java reads it", Buffer.from("store=/\xe9", "latin1"), "store=/é"],
  ["nothing", Buffer.alloc(0), ""],
])("%s", (_, bytes, text) => expect(decodeText("f", bytes)).toBe(text));

test.each([
  ["UTF-16", Buffer.from("\ufeffa=1", "utf16le"), "f: the file is UTF-16; save it as UTF-8"],
  ["a NUL", Buffer.from("a=1\r\nb=\0"), "f:2: a NUL byte; expected a text file in UTF-8"],
])("%s is refused", (_, bytes, words) => expect(() => decodeText("f", bytes)).toThrow(words));
