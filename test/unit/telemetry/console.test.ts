import { expect, test } from "vitest";
import { boundedLines } from "../../../src/telemetry/console.js";
import { maxPendingBytes } from "../../../src/telemetry/log-file.js";

test("what is not read waits up to a limit; then lines are counted instead, and said once somebody reads", () => {
  let unread = 0;
  let text = "";
  const write = boundedLines({ write: (lines) => void (text += lines), unread: () => unread });
  write("a\n");
  unread = maxPendingBytes - 2;
  write("b\n");
  write("c\nd\n");
  unread = maxPendingBytes;
  write("e\n");
  expect(text).toBe("a\nb\n");
  unread = 0;
  write("f\n");
  write("g\n");
  expect(text).toBe("a\nb\n3 lines were dropped: their reader was too slow\nf\ng\n");
});
