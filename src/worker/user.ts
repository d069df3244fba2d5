/**
 * The user that `--worker-user` names: a name of /etc/passwd, or numbers. Workers that are another user can neither signal
 * nor look into the server, nor write where only the server's user may.
 */

import { readFileSync } from "node:fs";
import { ServerError } from "../errors.js";

export interface WorkerUser {
  readonly uid: number;
  readonly gid: number;
}

const maxId = 2 ** 32 - 2;

/** "name", "uid" or "uid:gid" (a uid alone is its group as well). Throws ServerError invalid_model. `users`: /etc/passwd. */
export function parseUser(text: string, users: string): WorkerUser {
  const numbers = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const entry = users
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === text);
  const [uid, gid] = numbers === null ? [entry?.[2], entry?.[3]] : [numbers[1], numbers[2] ?? numbers[1]];
  const user = { uid: Number(uid ?? Number.NaN), gid: Number(gid ?? Number.NaN) };
  if (!(user.uid <= maxId && user.gid <= maxId))
    throw wrong(text, "there is no such user; give a name, UID or UID:GID");
  if (user.uid === 0) throw wrong(text, "that is root, which no worker may be");
  return user;
}

/** Only root may start processes of other users. */
export function workerUser(text: string | undefined): WorkerUser | undefined {
  if (text === undefined) return undefined;
  const user = parseUser(text, readFileSync("/etc/passwd", "utf8"));
  const own = process.getuid?.();
  if (own === 0 || own === user.uid) return user;
  throw wrong(text, "the server is not root, and only root starts processes of another user");
}

function wrong(text: string, why: string): ServerError {
  return new ServerError("invalid_model", `--worker-user is ${JSON.stringify(text)}: ${why}`);
}
