/** Cases 1-5, 7-9, 20-22: bodies that are not what the model declares. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { refuses, stillServes, type Expected } from "./hostile.js";
import { float32Of, ledgerAnswer, ledgerInput } from "./ledger.js";
import { models, Server } from "./server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start(["ledger", "dtypes", "moody"].map((name) => `${models}${name}.pt`));
});
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

const good = ledgerInput(5);
const goodText = JSON.stringify(good);
const octets = "application/octet-stream";

function ledger(body: string | Buffer, expected: Expected, type = "application/json"): Promise<void> {
  return refuses(server, { path: "/predictions/ledger", headers: { "content-type": type }, body }, expected);
}

/** The dtypes model with one input replaced by JSON text. */
function typedBody(name: string, text: string): string {
  const inputs: Record<string, string> = { b: "[true,false]" };
  for (const other of ["u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f64"]) inputs[other] = "[1,2]";
  inputs[name] = text;
  return `{${Object.entries(inputs)
    .map(([key, value]) => `"${key}":${value}`)
    .join(",")}}`;
}

function typed(name: string, text: string, expected: Expected): Promise<void> {
  return refuses(server, { path: "/predictions/dtypes", body: typedBody(name, text) }, expected);
}

describe("case 1: malformed JSON is 400 with the byte offset", () => {
  test.each([
    ["empty", ""],
    ["truncated", goodText.slice(0, -1)],
    ["cut in a number", "[1.5e"],
    ["trailing garbage", `${goodText}x`],
    ["two documents", `${goodText}${goodText}`],
    ["a trailing comma", `${JSON.stringify(good.slice(1)).slice(0, -1)},]`],
    ["a word", "nonsense"],
    ["a leading zero", goodText.replace("[", "[01,")],
    ["a bare point", goodText.replace("[", "[.5,")],
    ["a plus sign", goodText.replace("[", "[+5,")],
    ["an unclosed string", '["NaN'],
    ["a control character", "[\u0001]"],
    ["binary", Buffer.from([0xff, 0xfe, 0x00, 0x01])],
  ])("%s", (_, body) => ledger(body, { status: 400, says: [/byte|offset|empty/i] }));

  test("a byte order mark is refused or skipped, never misread", async () => {
    const answer = await call(server.port, { path: "/predictions/ledger", body: `\ufeff${goodText}` });
    if (answer.status === 200) expect(float32Of(jsonOf(answer))).toEqual(ledgerAnswer(good));
    else expect(answer.status).toBe(400);
    await stillServes(server);
  });

  test("duplicate keys", () =>
    ledger(`{"instances":[${goodText}],"instances":[${goodText}]}`, { status: 400, says: ["instances"] }));
  test("duplicate input names (case 20)", () =>
    ledger(`{"x":${goodText},"x":${goodText}}`, { status: 400, says: ['"x"'] }));
});

describe("case 2: nesting", () => {
  test.each([120, 250_000])("%i deep", (depth) =>
    ledger("[".repeat(depth) + "]".repeat(depth), { status: 400, says: [/dimension|deep|depth|nest/i] }),
  );
  test("objects 100,000 deep", () => ledger('{"x":'.repeat(100_000), { status: 400 }));
});

describe("case 3: wrong kinds of values name the input, expected and got", () => {
  test.each([
    ["a string for numbers", `["a"${",0".repeat(15)}]`],
    ["null", `[null${",0".repeat(15)}]`],
    ["a bool for a float", `[true${",0".repeat(15)}]`],
    ["an object inside", `[{}${",0".repeat(15)}]`],
    ["null alone", "null"],
    ["a string alone", '"hello"'],
  ])("%s", (_, body) => ledger(body, { status: 400, says: [/float32|number/] }));

  test("a number for a bool", () => typed("b", "[1,0.5]", { status: 400, says: ["b", "bool"] }));
  test("a fraction for an integer", () => typed("i32", "[1,2.5]", { status: 400, says: ["i32", "int32"] }));
  test("a string for an integer", () => typed("i64", '[1,"2"]', { status: 400, says: ["i64", "int64"] }));
  test("an unknown input", () =>
    refuses(server, { path: "/predictions/ledger", body: `{"x":${goodText},"y":[1]}` }, { status: 400, says: ["y"] }));
  test("a missing input", () =>
    refuses(server, { path: "/predictions/dtypes", body: '{"b":[true,false]}' }, { status: 400, says: ["u8"] }));

  test("fp16 and bf16 are accepted as JSON numbers and rounded to nearest", async () => {
    for (const [name, text, want] of [
      ["f16", "[0.1,65504]", [0.0999755859375, 65504]],
      ["bf16", "[0.1,3.1415927]", [0.10009765625, 3.140625]],
    ] as const) {
      const answer = await call(server.port, { path: "/predictions/dtypes", body: typedBody(name, text) });
      expect(answer.status, answer.body.toString()).toBe(200);
      expect((jsonOf(answer) as Record<string, number[]>)[name]?.map((value) => Number(value.toPrecision(4)))).toEqual(
        want.map((value) => Number(value.toPrecision(4))),
      );
    }
  });
});

describe("case 4 and 5: shapes are 400 with expected and got", () => {
  test.each([
    ["too short", JSON.stringify(good.slice(1)), ["[16]", "[15]"]],
    ["too long", JSON.stringify([...good, 1]), ["[16]", "[17]"]],
    ["one dimension more", `[${goodText}]`, ["[16]", "[1,16]"]],
    ["empty (case 22)", "[]", ["[16]", "[0]"]],
    ["a scalar", "1.5", ["[16]", "[]"]],
    ["17 dimensions", "[".repeat(17) + "1" + "]".repeat(17), ["[16]"]],
  ])("%s", (_, body, words) =>
    ledger(body, { status: 400, says: words.map((word) => new RegExp(escape(word).replaceAll("%2C", ",\\s?"))) }),
  );

  function escape(text: string): string {
    return text.replaceAll(/[[\]]/g, "\\$&").replaceAll(",", "%2C");
  }

  test("ragged", () => ledger('{"instances":[[1,2],[1]]}', { status: 400 }));
  test("a bad instance names its index", () =>
    ledger(`{"instances":[${goodText},${goodText},[1]]}`, { status: 400, says: ["2"] }));
  test("no instances (case 22) are an empty answer or 400", async () => {
    const answer = await call(server.port, { path: "/predictions/ledger", body: '{"instances":[]}' });
    if (answer.status === 200) expect(jsonOf(answer)).toEqual({ predictions: [] });
    else expect(answer.status).toBe(400);
    await stillServes(server);
  });
  test("more instances than maxInstances (case 21)", () =>
    ledger(`{"instances":[${Array(10_000).fill(goodText).join()}]}`, {
      status: 400,
      says: [/maxInstances|max-instances/],
    }));

  test.each([0, 1, 63, 65, 128])("raw octets of %i bytes instead of 64", (bytes) =>
    ledger(Buffer.alloc(bytes), { status: 400, says: ["64", String(bytes)] }, octets),
  );
  test("raw octets for a model with several inputs", () =>
    refuses(
      server,
      { path: "/predictions/dtypes", headers: { "content-type": octets }, body: Buffer.alloc(8) },
      { status: 400, says: [/input/] },
    ));
});

describe("npy headers that lie (cases 3-5)", () => {
  function npy(header: string, data: Buffer): Buffer {
    const padded = `${header.padEnd(117)}\n`;
    const length = Buffer.alloc(2);
    length.writeUInt16LE(padded.length);
    return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(padded, "latin1"), data]);
  }
  const data = Buffer.from(new Float32Array(good).buffer);
  const head = (descr: string, shape: string, order = "False"): string =>
    `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;

  test("the honest one is answered", async () => {
    const headers = { "content-type": "application/x-npy" };
    const answer = await call(server.port, {
      path: "/predictions/ledger",
      headers,
      body: npy(head("<f4", "(16,)"), data),
    });
    expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
  test.each([
    ["negative", head("<f4", "(-16,)")],
    ["product over 2^64", head("<f4", "(4294967296, 4294967296, 16)")],
    ["bytes over 2^64", head("<f4", "(4611686018427387904,)")],
    ["more than there is", head("<f4", "(17,)")],
    ["less than there is", head("<f4", "(15,)")],
    ["zero", head("<f4", "(0,)")],
    ["unknown dtype", head("<q9", "(16,)")],
    ["objects", head("|O", "(16,)")],
    ["another dtype", head("<i4", "(16,)")],
    ["nonsense", "{'descr': "],
    ["empty header", ""],
  ])("%s", (_, header) => ledger(npy(header, data), { status: 400 }, "application/x-npy"));
  test("cut in the header", () =>
    ledger(npy(head("<f4", "(16,)"), data).subarray(0, 20), { status: 400 }, "application/x-npy"));
  test("no magic", () => ledger(Buffer.alloc(200), { status: 400 }, "application/x-npy"));
});

describe("case 7: NaN and infinities", () => {
  test.each(["NaN", "Infinity", "-Infinity", "nan"])("bare %s is 400", (word) =>
    ledger(`[${word}${",0".repeat(15)}]`, { status: 400 }),
  );
  test("as strings they are accepted; outputs are valid JSON with the same words", async () => {
    const answer = await call(server.port, { path: "/predictions/moody", body: "[-1,0]" });
    expect([answer.status, jsonOf(answer)]).toEqual([200, ["NaN", "-Infinity"]]);
    const infinite = await call(server.port, { path: "/predictions/moody", body: '["NaN",1]' });
    expect([infinite.status, jsonOf(infinite)]).toEqual([200, ["NaN", 0]]);
    await stillServes(server);
  });
});

describe("case 8: numbers out of range are 400, never wrapped", () => {
  test("over float32", () => ledger(`[1e39${",0".repeat(15)}]`, { status: 400, says: ["float32"] }));
  test("over float64", () => typed("f64", "[1e400,0]", { status: 400, says: ["float64"] }));
  test.each([
    ["u8", "256", "uint8"],
    ["u8", "-1", "uint8"],
    ["i8", "128", "int8"],
    ["i16", "-32769", "int16"],
    ["i32", "2147483648", "int32"],
    ["i64", "9223372036854775808", "int64"],
    ["i64", "1e30", "int64"],
    ["f16", "65520", "float16"],
  ])("%s: %s", (name, value, dtype) => typed(name, `[${value},0]`, { status: 400, says: [name, dtype] }));
  test("int64 is exact in both directions", async () => {
    const body = typedBody("i64", "[9223372036854775807,-9223372036854775808]");
    const answer = await call(server.port, { path: "/predictions/dtypes", body });
    expect(answer.body.toString()).toMatch(/"i64":\s*\[9223372036854775807,\s*-9223372036854775808\]/);
  });
});

describe("case 9: strings that are no text", () => {
  test.each([
    ["a lone surrogate as a name", '{"\\ud800":[1]}'],
    ["NUL in a name", '{"\\u0000":[1]}'],
    ["over-long UTF-8", Buffer.from('{"\xc0\xaf":[1]}', "latin1")],
    ["invalid UTF-8", Buffer.from('{"\xff":[1]}', "latin1")],
    ["a name of 1 MiB", `{"${"n".repeat(1 << 20)}":[1]}`],
  ])("%s", (_, body) => ledger(body, { status: 400 }));
});

describe("content types and encodings (case 11)", () => {
  test.each(["application/xml", "image/png", "multipart/mixed; boundary=x", "nonsense"])(
    "%s is 415 with the list",
    (type) => ledger(goodText, { status: 415, says: ["application/json"] }, type),
  );
  test.each(["br", "zstd", "gzip, gzip", "nonsense"])("encoding %s is 415", (encoding) =>
    refuses(
      server,
      { path: "/predictions/ledger", headers: { "content-encoding": encoding }, body: gzipSync(goodText) },
      { status: 415, says: ["gzip"] },
    ),
  );
  test.each([undefined, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"])(
    "%s is read as JSON",
    async (type) => {
      const headers = type === undefined ? {} : { "content-type": type };
      const answer = await call(server.port, { path: "/predictions/ledger", headers, body: goodText });
      expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
    },
  );
  test("raw or npy for several outputs is 406 with the reason", () =>
    refuses(
      server,
      { path: "/predictions/dtypes", headers: { accept: "application/x-npy" }, body: typedBody("b", "[true,true]") },
      { status: 406, says: [/output/] },
    ));
});
