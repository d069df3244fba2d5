import { expect, test } from "vitest";
import type { HandlerRequest } from "../../../src/handlers/handler.js";
import { errorBody, guessType, headOf, toWorker } from "../../../src/worker/translate.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const request: HandlerRequest = {
  id: "r",
  body: bytes("x"),
  contentType: "Text/Plain; charset=utf-8",
  accept: "",
  parts: undefined,
  headers: {},
  parameters: {},
  urlPath: "",
  explains: false,
  named: false,
  onAbort: () => undefined,
  state: undefined,
};

test("a body is one input of its bare type", () => {
  const { id, parameters, headers } = toWorker(request, "r7");
  expect(id).toBe("r7");
  expect(parameters).toEqual([{ name: "body", contentType: "text/plain", value: bytes("x") }]);
  expect(headers).toEqual([
    ["explain", "False"],
    ["url_path", ""],
  ]);
});

test("an explanation is asked for by a header", () => {
  expect(Object.fromEntries(toWorker({ ...request, explains: true }, "r").headers)["explain"]).toBe("True");
});

test("every field of a form is an input", () => {
  const parts = [
    { name: "data", fileName: "a.jpg", contentType: "image/jpeg", bytes: bytes("j") },
    { name: "k", fileName: "", contentType: "text/plain", bytes: bytes("v") },
  ];
  const contentType = "multipart/form-data; boundary=x";
  expect(toWorker({ ...request, contentType, parts }, "r").parameters).toEqual([
    { name: "data", contentType: "image/jpeg", value: bytes("j") },
    { name: "k", contentType: "", value: bytes("v") },
  ]);
});

test("headers are found in both spellings, and a client cannot ask for an explanation by one", () => {
  const { headers } = toWorker(
    { ...request, headers: { "x-my-key": "1", host: "h", explain: "True" }, urlPath: "a/b" },
    "r",
  );
  expect(Object.fromEntries(headers)).toEqual({
    "x-my-key": "1",
    "X-My-Key": "1",
    host: "h",
    Host: "h",
    explain: "False",
    Explain: "True",
    url_path: "a/b",
  });
});

test.each([
  ["application/x-www-form-urlencoded", '{"a":1}', "application/json"],
  ["application/x-www-form-urlencoded", "text", ""],
  ["application/json", "no json", "application/json"],
  ["", '{"a":1}', ""],
])("the type of %s %s is %s", (contentType, body, type) => {
  expect(toWorker({ ...request, contentType, body: bytes(body) }, "r").parameters[0]?.contentType).toBe(type);
});

test.each([
  ['{"a":1}', "application/json"],
  ["[1]", "application/json"],
  ["", "text/plain; charset=utf-8"],
  ["wörter", "text/plain; charset=utf-8"],
])("an answer without a type: %s", (body, type) => {
  expect(guessType(bytes(body))).toBe(type);
});

test("an answer's bytes are bytes, and its own type, status and headers stay", () => {
  const body = Uint8Array.of(0xff, 0xd8);
  const answer = { id: "r", contentType: "", status: 201, phrase: "Made", headers: [], body };
  expect(headOf(answer)).toEqual({ status: 201, contentType: "application/octet-stream", headers: [] });
  const headers = [["content-type", "image/png"] as const, ["x-a", "1"] as const];
  expect(headOf({ ...answer, contentType: "image/png", headers })).toEqual({
    status: 201,
    contentType: "image/png",
    headers: [["x-a", "1"]],
  });
});

test("an error body is TorchServe's", () => {
  expect(JSON.parse(errorBody(599, "why"))).toEqual({ code: 599, type: "InternalServerException", message: "why" });
});
