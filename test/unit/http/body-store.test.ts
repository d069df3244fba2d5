import { expect, test } from "vitest";
import { MemoryBodies } from "../../../src/http/body-store.js";

test("gathers pieces by cookie, gives them once, drops them", () => {
  const bodies = new MemoryBodies();
  const piece = (text: string) => new TextEncoder().encode(text).buffer;
  bodies.bodyAppend(1, piece("ab"));
  bodies.bodyAppend(2, piece("x"));
  bodies.bodyAppend(1, piece("c"));
  expect(bodies.bodySize(1)).toBe(3);
  expect(new TextDecoder().decode(bodies.take(1))).toBe("abc");
  expect(bodies.take(1)).toHaveLength(0);
  bodies.bodyDrop(2);
  expect(bodies.bodySize(2)).toBe(0);
});
