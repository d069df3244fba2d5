/**
 * Replays Dockerfile without a container engine, as root: the final stage's root file system is put together in an empty
 * folder (the checkout's own build stands for the build stage; node and the libraries that its slim image has stand for
 * the base), a model is laid in as docs/docker.md's derived image does, and the image's command is started in it as its
 * user, on a read-only root with a /tmp. It must answer its health check and a real prediction, listen where the image
 * says, hold no Python, and end on SIGTERM. Prints the size. Exit 0 when all of that held.
 *
 * With PYTHON, a virtual environment's with torch and torchserve, the target `python` follows: that environment stands at
 * /opt/python, and an archive with a Python handler answers from it.
 *
 *     node scripts/image-replay.mjs [--cuda] [--python PYTHON] [BASE]
 *
 * --cuda replays Dockerfile.cuda, from a checkout that was built against a CUDA build of torch: everything but what a GPU
 * does. BASE: a root folder to use as the base, made by debootstrap for instance.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { parseDockerfile, startOf } from "./lib/dockerfile.mjs";

const readyTimeoutMs = 60_000;
/** Of the host's libraries, those that node's slim image has: more must come from image-root itself. */
const baseLibraries =
  /^(ld-linux-x86-64|libc|libm|libdl|librt|libpthread|libutil|libz|libstdc\+\+|libgcc_s|libresolv|libselinux|libpcre2-8)[.-]/;

function say(text) {
  console.log(`      ${text}`);
}

/** Libraries outside `root` that programs and addons are linked to. */
function librariesOf(files, root) {
  const found = files.flatMap((file) => {
    const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
    const missing = [...stdout.matchAll(/(\S+) => not found/g)].map(([, name]) => name);
    if (missing.length > 0) throw new Error(`${file}: ${missing.join(", ")} not found`);
    return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path);
  });
  return [...new Set(found)].filter((path) => !path.startsWith(root) && !existsSync(join(root, path)));
}

function lay(root, from, to = from) {
  mkdirSync(join(root, dirname(to)), { recursive: true });
  copyFileSync(realpathSync(from), join(root, to));
}

const printed = (program, words) => execFileSync(program, words, { encoding: "utf8" }).trim();

/** node, env and the C and C++ libraries. */
function layBase(root) {
  lay(root, process.execPath, "/usr/local/bin/node");
  lay(root, printed("which", ["env"]), "/usr/bin/env");
  const names = ["*.node", "sconce-probe", "libcudnn_graph.so.*"].flatMap((name) => ["-o", "-name", name]).slice(1);
  const addons = printed("find", [root, ...names]).split("\n");
  const programs = [join(root, "usr/local/bin/node"), join(root, "usr/bin/env"), ...addons];
  for (const path of librariesOf(programs, root)) {
    const name = path.split("/").at(-1) ?? "";
    if (!baseLibraries.test(name)) throw new Error(`${path} is needed, and neither the base nor image-root has it`);
    lay(root, path);
  }
}

/**
 * What the target `python` adds: Debian's Python (the one that made the environment stands for it) and a shell, copied or
 * mounted; the environment at /opt/python. The mounts: [folder, where].
 */
function layPython(root, python) {
  const facts = "import sys, sysconfig as s; print(*[sys.prefix, sys.base_prefix, s.get_path('stdlib')], sep='\\n')";
  const [prefix = "", base = "", library = ""] = printed(python, ["-c", facts]).split("\n");
  if (prefix === base) throw new Error(`${python} is not a virtual environment's`);
  const program = realpathSync(python);
  let link = join(prefix, "bin/python3");
  while (link.startsWith(prefix)) link = resolve(dirname(link), readlinkSync(link));
  const modules = printed("find", [join(library, "lib-dynload"), "-name", "*.so"]).split("\n");
  for (const path of [program, link, "/bin/sh"]) lay(root, path);
  for (const path of librariesOf([program, "/bin/sh", ...modules], root)) lay(root, path);
  for (const folder of [library, "/opt/python"]) mkdirSync(join(root, folder), { recursive: true });
  return [
    [library, library],
    [prefix, "/opt/python"],
  ];
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Shell lines that lay libtorch back under a fresh /tmp, when the checkout (and with it libtorch's path) lies there: an
 * image's build stage has it elsewhere. The covered folder is at /mnt.
 */
function keepLibtorch(root) {
  const { libtorch } = JSON.parse(readFileSync(join(root, "opt/sconce/build/Release/sconce-build.json"), "utf8"));
  if (!libtorch.startsWith("/tmp/")) return "";
  const folder = libtorch.endsWith("/site-packages/torch") ? dirname(libtorch) : libtorch; // NVIDIA's packages lie beside
  return `mkdir -p "$0${folder}"; mount --bind "/mnt${folder.slice("/tmp".length)}" "$0${folder}"`;
}

/** The shell that makes the mounts becomes the command: its process is the server's. */
function enter(root, { env, user, folder, mounts = [] }, command) {
  const script = `set -e; mount --bind "$0" "$0"; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"
    mount --bind "$0/tmp" /mnt; mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
    ${keepLibtorch(root)}
    ${mounts.map(([from, to]) => `mount --bind "${from}" "$0${to}"`).join("\n")}
    mount -o remount,bind,ro "$0"
    exec chroot --userspec="$1" "$0" /usr/bin/env -i -C "$2" "\${@:3}"`;
  const settings = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return spawn("unshare", ["--mount", "bash", "-c", script, root, user, folder, ...settings, ...command], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

async function exitCode(child) {
  const [code, signal] = child.exitCode === null ? await once(child, "close") : [child.exitCode, null];
  return code ?? signal;
}

/** Addresses that something listens at on this port, as /proc/net/tcp writes them: 00000000 is every interface. */
function addressesAt(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").matchAll(/^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) \S+ 0A/gm);
  return [...lines].filter(([, , at]) => at === hex).map(([, address]) => address);
}

function check(what, holds) {
  if (!holds) throw new Error(`does not hold: ${what}`);
  say(`holds: ${what}`);
}

/** Everything but the port that inference listens at must hold for every image; `predict` asks for what its model answers. */
async function tryServer(root, start, predict) {
  const [port, management, metrics] = [await freePort(), await freePort(), await freePort()];
  const ports = { PORT: port, SCONCE_MANAGEMENT_PORT: management, SCONCE_METRICS_PORT: metrics };
  const image = { ...start, env: { ...start.env, ...ports } };
  const server = enter(root, image, start.command);
  try {
    const giveUp = Date.now() + readyTimeoutMs;
    while ((await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined))?.status !== 200) {
      if (server.exitCode !== null) throw new Error(`the server ended with code ${server.exitCode}`);
      if (Date.now() > giveUp) throw new Error(`not ready after ${readyTimeoutMs} ms`);
      await sleep(100);
    }
    check("the health check passes", (await exitCode(enter(root, image, start.health))) === 0);
    check("inference listens on all interfaces at PORT", addressesAt(port).includes("00000000"));
    check("management listens on loopback alone", addressesAt(management).join() === "0100007F");
    await predict(`http://127.0.0.1:${port}/predictions`);
    server.kill("SIGTERM");
    check("SIGTERM ends it with code 0", (await exitCode(server)) === 0);
    const late = enter(root, image, start.health);
    check("then the health check fails", (await exitCode(late)) === 1);
  } finally {
    server.kill("SIGKILL");
  }
}

async function readsASeven(predictions) {
  const body = readFileSync("examples/digits/7.png");
  const answer = await fetch(`${predictions}/digits`, { method: "POST", body });
  const [best] = Object.entries(await answer.json()).sort(([, a], [, b]) => b - a);
  check("a handwritten seven is a seven", answer.status === 200 && best?.[0] === "seven");
}

async function knowsAFlower(predictions) {
  const flower = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${predictions}/iris`, { method: "POST", headers, body: JSON.stringify(flower) });
  check("a Python handler knows a flower", answer.status === 200 && (await answer.json()).kind === "setosa");
}

/**
 * In the image, without a GPU: the dynamic linker finds all that the CUDA library and what libtorch opens at first use are
 * linked to. Node can open any library, and complains of these only that they are no addons.
 */
const opensAll = `
  const { libtorch } = JSON.parse(require("fs").readFileSync("/opt/sconce/build/Release/sconce-cuda.json"));
  const folders = ["../nvidia/cudnn/lib", "../nvidia/cu13/lib", "lib"].map((each) => libtorch + "/" + each);
  const inside = folders.flatMap((each) => require("fs").readdirSync(each).map((name) => each + "/" + name));
  for (const path of ["/opt/sconce/build/Release/libsconce_cuda.so", ...inside.filter((each) => !/nvrtc\\.so$/.test(each))]) {
    try {
      process.dlopen({ exports: {} }, path);
    } catch (error) {
      if (!/did not self-register/.test(error.message)) throw error;
    }
  }`;

/** What docs/docker.md's image of two lines puts where: its COPY, with the repository's example as the archive. */
function layDerived(root) {
  const page = readFileSync("docs/docker.md", "utf8");
  const { stages } = parseDockerfile(/```dockerfile\n([\s\S]*?)```/.exec(page)?.[1] ?? "");
  const [copy] = stages[0]?.instructions ?? [];
  const [from = "", to = ""] = copy?.text.split(" ") ?? [];
  lay(root, join("examples/digits", from), join(to, from));
}

async function replay({ cuda, python }, base) {
  const { stages } = parseDockerfile(readFileSync(cuda ? "Dockerfile.cuda" : "Dockerfile", "utf8"));
  const root = mkdtempSync(join(tmpdir(), "sconce-image-"));
  try {
    execFileSync("bash", ["scripts/image-root", ...(cuda ? ["--cuda"] : []), root], { stdio: "inherit" });
    if (base) execFileSync("cp", ["-an", `${realpathSync(base)}/.`, root]);
    layBase(root);
    for (const folder of ["proc", "dev", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
    layDerived(root);
    const found = printed("find", [root, "-name", "python*", "-perm", "-u+x", "!", "-type", "d"]);
    check("no Python inside", found === "");
    const image = startOf(stages, stages.at(-1));
    if (cuda) check("every CUDA library opens", (await exitCode(enter(root, image, ["node", "-e", opensAll]))) === 0);
    await tryServer(root, image, readsASeven);
    if (python === undefined) return;
    say("the target python");
    const start = {
      ...startOf(
        stages,
        stages.find(({ name }) => name === "python"),
      ),
      mounts: layPython(root, python),
    };
    rmSync(join(root, "models/digits.mar"));
    cpSync("examples/iris/iris.mar", join(root, "models/iris.mar"));
    await tryServer(root, start, knowsAFlower);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cuda: { type: "boolean", default: false }, python: { type: "string" } },
});
await replay(values, positionals[0]);
