import { describe, expect, test } from "vitest";
import { readPictures } from "../../../src/handlers/picture-body.js";

const pictureBytes = (body: Uint8Array, maxBytes: number): Uint8Array => {
  const { pictures, form } = readPictures(body, { maxBytes, maxPictures: 2 });
  expect([pictures.length, form]).toEqual([1, "one"]);
  return pictures[0] ?? new Uint8Array();
};

describe("what is sent", () => {
  const picture = Buffer.from([0xff, 0xd8, 0xff, 1, 2, 3]);
  const base64 = picture.toString("base64");
  test("picture bytes, or base64 in JSON, as a string or by name", () => {
    expect(pictureBytes(picture, 100)).toBe(picture);
    for (const value of [
      base64,
      `data:image/jpeg;base64,${base64}`,
      { data: base64 },
      { body: base64 },
      { b64: base64 },
      { image_bytes: { b64: base64 } },
      { data: { b64: base64 } },
    ]) {
      expect(Buffer.from(pictureBytes(Buffer.from(` ${JSON.stringify(value)}`), 100))).toEqual(picture);
    }
  });
  test("base64 as it is, of every kind of picture", () => {
    const heads = ["\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n", "GIF89a", "RIFF\0\0\0\0WEBP"];
    for (const head of heads) {
      const bytes = Buffer.from(`${head}and more`, "latin1");
      expect(Buffer.from(pictureBytes(Buffer.from(bytes.toString("base64")), 100))).toEqual(bytes);
      expect(pictureBytes(bytes, 100)).toBe(bytes);
    }
    expect(pictureBytes(Buffer.from("/9"), 100).length).toBe(2);
    expect(() => pictureBytes(Buffer.from("/9j/<svg>"), 100)).toThrow("other characters");
  });
  test("anything else is said to be wrong", () => {
    const of = (text: string) => () => pictureBytes(Buffer.from(text), 5);
    expect(of("{broken")).toThrow("does not parse");
    expect(of('{"other": 1}')).toThrow("base64");
    expect(of('""')).toThrow("no bytes");
    expect(of('"<svg>"')).toThrow("other characters");
    expect(pictureBytes(Buffer.from(JSON.stringify(" QUJD\r\n REVG ")), 9).toString()).toBe("ABCDEF");
    expect(of(JSON.stringify(base64))).toThrow("--max-request-size");
  });
  test("several, as a list or as instances, at most as many as the model takes", () => {
    const of = (value: unknown, maxBytes = 100) =>
      readPictures(Buffer.from(JSON.stringify(value)), { maxBytes, maxPictures: 2 });
    const two = [base64, { image_bytes: { b64: base64 } }];
    expect(of(two)).toEqual({ form: "list", pictures: [picture, picture] });
    expect(of({ instances: two, parameters: {} })).toEqual({ form: "instances", pictures: [picture, picture] });
    expect(of({ instances: [two[1]] }).form).toBe("instances");
    expect(() => of({ instances: [] })).toThrow("holds no pictures");
    expect(() => of([...two, base64])).toThrow(
      "3 pictures, more than 2; --max-instances or the model's sconce.maxInstances sets the limit",
    );
    expect(() => of([base64, { data: 5 }])).toThrow("instance 1: there is no picture's base64 in it");
    expect(() => of([base64, "<svg>"])).toThrow("instance 1: The text that should be");
    expect(() => of(two, 2 * picture.length - 1)).toThrow("instance 1: The decoded picture is over");
    expect(() => of({ b64: { b64: { b64: { b64: { b64: base64 } } } } })).toThrow("Expected picture bytes");
  });
});
