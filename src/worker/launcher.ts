/**
 * The few lines of Python that stand before a worker: they tie it to the server's life, take away what it must not have
 * and then become TorchServe's worker, whose command is the same as under TorchServe. No package is needed for them.
 */

/** What the launcher reads as its one argument, in JSON. */
export interface LaunchSettings {
  /** The command that it becomes. */
  readonly command: readonly string[];
  /** The server's process id: a worker whose parent is another one has lost it already. */
  readonly parent: number;
  /** User and group to run as; null: the server's own. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** False: a network of its own with nothing in it. */
  readonly network: boolean;
  /** Bytes of data (heap, stacks, anonymous memory); 0: no limit of its own. */
  readonly memory: number;
  /** Files and sockets open at one time. */
  readonly files: number;
  /** Processes and threads that the user may have, of all workers together; 0: no limit of its own. Not for root. */
  readonly processes: number;
}

/** The launcher's exit code when it refuses; its reason is the last line on standard error. */
export const launcherRefused = 78;

export const launcherSource = `
import ctypes, json, os, resource, signal, sys

def refuse(words):
    sys.stderr.write("sconce launcher: " + words + "\\n")
    sys.stderr.flush()
    os._exit(${launcherRefused})

settings = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)

def attempt(what, *arguments):
    if getattr(libc, what)(*arguments) != 0:
        return os.strerror(ctypes.get_errno())
    return None

if not settings["network"]:
    newuser, newnet = 0x10000000, 0x40000000
    uid, gid = os.getuid(), os.getgid()
    failed = attempt("unshare", newnet)
    if failed and uid != 0:
        failed = attempt("unshare", newuser | newnet)
        if not failed:
            for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open("/proc/self/" + name, "w") as file:
                    file.write(line)
    if failed:
        refuse("no network of its own can be made for the worker (" + failed + ")")

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
files = settings["files"] if hard == resource.RLIM_INFINITY else min(settings["files"], hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
if settings["memory"] > 0:
    resource.setrlimit(resource.RLIMIT_DATA, (settings["memory"], settings["memory"]))

if settings["processes"] > 0:
    resource.setrlimit(resource.RLIMIT_NPROC, (settings["processes"], settings["processes"]))

if settings["user"] is not None:
    user = settings["user"]
    try:
        os.setgroups([])
        os.setgid(user["gid"])
        os.setuid(user["uid"])
    except OSError as error:
        refuse("the worker cannot run as user %d, group %d: %s" % (user["uid"], user["gid"], error.strerror))

failed = attempt("prctl", 38, 1, 0, 0, 0)
if failed:
    refuse("new privileges cannot be ruled out (" + failed + ")")
# After the change of user, which would take it back.
failed = attempt("prctl", 1, signal.SIGKILL, 0, 0, 0)
if failed:
    refuse("the worker cannot be tied to the server's life (" + failed + ")")
if os.getppid() != settings["parent"]:
    os._exit(1)

try:
    os.execv(settings["command"][0], settings["command"])
except OSError as error:
    refuse("%s does not start: %s" % (settings["command"][0], error.strerror))
`;
