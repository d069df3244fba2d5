import { deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { encodingOf, inflateBody } from "../../../src/inference/inflate.js";

const limits = { maxRequestSize: 1 << 20, maxInflateRatio: 100 };

test("names of codings", () => {
  expect(["", "identity", "GZIP", "x-gzip", "deflate", "br", "gzip, gzip"].map(encodingOf)).toEqual([
    "identity",
    "identity",
    "gzip",
    "gzip",
    "deflate",
    "unsupported",
    "unsupported",
  ]);
});

test("round trip, and a clear error for garbage", async () => {
  const text = Buffer.from("[1,2,3]");
  expect(Buffer.from(await inflateBody(gzipSync(text), "gzip", limits))).toEqual(text);
  expect(Buffer.from(await inflateBody(deflateSync(text), "deflate", limits))).toEqual(text);
  await expect(inflateBody(text, "gzip", limits)).rejects.toMatchObject({ code: "bad_request" });
  await expect(inflateBody(gzipSync(text).subarray(0, 15), "gzip", limits)).rejects.toMatchObject({
    code: "bad_request",
  });
});

test("the limits, each at its edge", async () => {
  const noise = Buffer.from(Array.from({ length: 1 << 16 }, (_, index) => (index * 2654435761) >>> 13));
  const big = Buffer.concat(Array.from({ length: 16 }, () => noise));
  expect(await inflateBody(gzipSync(big), "gzip", limits)).toHaveLength(1 << 20);
  const over = gzipSync(Buffer.concat([big, Buffer.from("x")]));
  await expect(inflateBody(over, "gzip", limits)).rejects.toThrow("--max-request-size");
  await expect(inflateBody(gzipSync(Buffer.alloc(900_000)), "gzip", limits)).rejects.toThrow("--max-inflate-ratio");
});
