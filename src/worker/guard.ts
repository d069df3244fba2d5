/**
 * Ends what workers have started when the server ends without doing so: the kernel ends a worker with its server
 * (launcher.ts), but not the worker's own children. A small shell holds the list of process groups and kills them once
 * its standard input is closed, which the kernel does however the server ends. One for all workers. Main thread only.
 */
import { type ChildProcess, spawn } from "node:child_process";

const script = 'groups=; while read -r line; do groups=$line; done; [ -z "$groups" ] || kill -s KILL -- $groups';

export class GroupGuard {
  private readonly groups = new Set<number>();
  private readonly failed: (error: Error) => void;
  private shell: ChildProcess | undefined;

  /** `failed` hears when there is no shell to be had. */
  constructor(failed: (error: Error) => void) {
    this.failed = failed;
  }

  /** Its process id; undefined while it has nothing to guard. */
  get pid(): number | undefined {
    return this.shell?.pid;
  }

  /** `group` is the process id of its leader. */
  add(group: number): void {
    this.groups.add(group);
    this.tell();
  }

  /** The group has ended. */
  remove(group: number): void {
    this.groups.delete(group);
    if (this.groups.size === 0) this.close();
    else this.tell();
  }

  /** Kills what is left on the list. */
  close(): void {
    if (this.groups.size > 0) this.tell();
    else this.shell?.stdin?.write("\n");
    this.shell?.stdin?.end();
    this.shell = undefined;
  }

  private tell(): void {
    this.shell ??= this.start();
    this.shell.stdin?.write(`${[...this.groups].map((group) => `-${group}`).join(" ")}\n`);
  }

  private start(): ChildProcess {
    // A session of its own: what a terminal sends to the server's group is not meant for it.
    const shell = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true, env: {} });
    const gone = (): void => {
      if (this.shell === shell) this.shell = undefined;
    };
    shell.once("error", (error) => {
      gone();
      this.failed(error);
    });
    shell.once("exit", gone);
    shell.stdin.on("error", gone);
    // The server may end while it stands by.
    shell.unref();
    return shell;
  }
}
