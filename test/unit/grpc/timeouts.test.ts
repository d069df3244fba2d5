import { expect, test } from "vitest";
import { waitable } from "../../../src/grpc/timeouts.js";

test.each([
  ["500m", "500m"],
  ["2147483S", "2147483S"],
  ["2147484S", "2147483S"],
  ["2592000S", "2147483S"],
  ["99999999H", "2147483S"],
  ["35791M", "35791M"],
  ["35792M", "2147483S"],
  ["596H", "596H"],
  ["597H", "2147483S"],
  ["99999999m", "99999999m"],
  ["99999999n", "99999999n"],
  ["0S", "0S"],
  ["", ""],
  ["999999999S", "999999999S"],
  ["-5S", "-5S"],
  ["soon", "soon"],
])("%s is waited for as %s", (said, waited) => expect(waitable(said)).toBe(waited));
