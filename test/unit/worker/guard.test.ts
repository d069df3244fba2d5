import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { GroupGuard } from "../../../src/worker/guard.js";

function sleeper() {
  const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  return { pid: child.pid ?? -1, exit: once(child, "exit") };
}

test("what is on the list is killed when the guard's input closes; what was taken off lives", async () => {
  const guard = new GroupGuard(() => undefined);
  const [on, off] = [sleeper(), sleeper()];
  expect(guard.pid).toBeUndefined();
  guard.add(on.pid);
  guard.add(off.pid);
  guard.remove(off.pid);
  expect(guard.pid).toBeGreaterThan(0);
  guard.close();
  expect(await on.exit).toEqual([null, "SIGKILL"]);
  process.kill(off.pid, "SIGTERM");
  expect(await off.exit).toEqual([null, "SIGTERM"]);
});

test("with nothing left to guard it ends and kills nobody; the next group starts another", async () => {
  const guard = new GroupGuard(() => undefined);
  const [first, second] = [sleeper(), sleeper()];
  guard.add(first.pid);
  const before = guard.pid;
  guard.remove(first.pid);
  expect(guard.pid).toBeUndefined();
  guard.add(second.pid);
  expect(guard.pid).not.toBe(before);
  guard.close();
  expect(await second.exit).toEqual([null, "SIGKILL"]);
  process.kill(first.pid, "SIGTERM");
  expect(await first.exit).toEqual([null, "SIGTERM"]);
});
