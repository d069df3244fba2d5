import { expect, test } from "vitest";
import { parseUser, workerUser } from "../../../src/worker/user.js";

const users = "root:x:0:0:root:/root:/bin/sh\nmodels:x:1001:1002::/home/models:/bin/sh\n";

test.each([
  ["models", { uid: 1001, gid: 1002 }],
  ["1005", { uid: 1005, gid: 1005 }],
  ["1005:7", { uid: 1005, gid: 7 }],
])("%s", (text, user) => expect(parseUser(text, users)).toEqual(user));

test.each([
  ["nobody-here", /no such user/],
  ["", /no such user/],
  ["99999999999", /no such user/],
  ["1:2:3", /no such user/],
  ["root", /that is root/],
  ["0:5", /that is root/],
])("%j is refused", (text, words) => {
  expect(() => parseUser(text, users)).toThrow(words);
});

test("nothing said is nobody else; another user needs a server that is root", () => {
  expect(workerUser(undefined)).toBeUndefined();
  const own = process.getuid?.() ?? 0;
  if (own === 0) expect(workerUser("1005")).toEqual({ uid: 1005, gid: 1005 });
  else expect(() => workerUser(String(own + 1))).toThrow(/only root/);
});
