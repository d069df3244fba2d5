import { expect, test } from "vitest";
import { OkHead } from "../../../src/http/respond.js";

test("the head of an answer follows its content type and is made once for answers in a row", () => {
  const head = new OkHead();
  const text = (block: string): string => Buffer.from(head.of(block)).toString();
  expect(text("text/plain")).toBe("200 OK\r\ncontent-type: text/plain");
  expect(head.of("text/plain")).toBe(head.of("text/plain"));
  expect(text("application/json\r\nvary: origin")).toBe("200 OK\r\ncontent-type: application/json\r\nvary: origin");
  expect(text("text/plain")).toBe("200 OK\r\ncontent-type: text/plain");
});
