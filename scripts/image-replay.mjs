/**
 * Replays Dockerfile without a container engine, as root: the final stage's root file system is put together in an empty
 * folder (the checkout's own build stands for the build stage; node and the libraries that its slim image has stand for
 * the base), a model is laid in as a derived image does, and the image's command is started in it as its user, on a
 * read-only root with a /tmp. It must answer its health check and a real prediction, listen where the image says, hold no
 * Python, and end on SIGTERM. Prints the size. Exit 0 when all of that held.
 *
 *     node scripts/image-replay.mjs [BASE]      BASE: a root folder to use as the base, made by debootstrap for instance
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseDockerfile, startOf } from "./lib/dockerfile.mjs";

const readyTimeoutMs = 60_000;
/** Of the host's libraries, those that node's slim image has: more must come from image-root itself. */
const baseLibraries =
  /^(ld-linux-x86-64|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libresolv|libselinux|libpcre2-8)[.-]/;

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

/** node, env and the C and C++ libraries. */
function layBase(root) {
  for (const [from, to] of [
    [realpathSync(process.execPath), "/usr/local/bin/node"],
    [execFileSync("which", ["env"], { encoding: "utf8" }).trim(), "/usr/bin/env"],
  ]) {
    mkdirSync(join(root, dirname(to)), { recursive: true });
    copyFileSync(from, join(root, to));
  }
  const addons = execFileSync("find", [root, "-name", "*.node", "-o", "-name", "sconce-probe"], { encoding: "utf8" });
  const programs = [join(root, "usr/local/bin/node"), join(root, "usr/bin/env"), ...addons.trim().split("\n")];
  for (const path of librariesOf(programs, root)) {
    const name = path.split("/").at(-1) ?? "";
    if (!baseLibraries.test(name)) throw new Error(`${path} is needed, and neither the base nor image-root has it`);
    mkdirSync(join(root, dirname(path)), { recursive: true });
    copyFileSync(realpathSync(path), join(root, path));
  }
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
  return `mkdir -p "$0${libtorch}"; mount --bind "/mnt${libtorch.slice("/tmp".length)}" "$0${libtorch}"`;
}

/** The shell that makes the mounts becomes the command: its process is the server's. */
function enter(root, { env, user, folder }, command) {
  const script = `set -e; mount --bind "$0" "$0"; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"
    mount --bind "$0/tmp" /mnt; mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
    ${keepLibtorch(root)}
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

async function tryServer(root, start) {
  const [port, management, metrics] = [await freePort(), await freePort(), await freePort()];
  const ports = { PORT: port, SCONCE_MANAGEMENT_PORT: management, SCONCE_METRICS_PORT: metrics };
  const image = { ...start, env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...start.env, ...ports } };
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
    const body = readFileSync("examples/digits/7.png");
    const answer = await fetch(`http://127.0.0.1:${port}/predictions/digits`, { method: "POST", body });
    const [best] = Object.entries(await answer.json()).sort(([, a], [, b]) => b - a);
    check("a handwritten seven is a seven", answer.status === 200 && best?.[0] === "seven");
    server.kill("SIGTERM");
    check("SIGTERM ends it with code 0", (await exitCode(server)) === 0);
    const late = enter(root, image, start.health);
    check("then the health check fails", (await exitCode(late)) === 1);
  } finally {
    server.kill("SIGKILL");
  }
}

async function replay(base) {
  const { stages } = parseDockerfile(readFileSync("Dockerfile", "utf8"));
  const start = startOf(stages, stages.at(-1));
  const root = mkdtempSync(join(tmpdir(), "sconce-image-"));
  try {
    execFileSync("bash", ["scripts/image-root", root], { stdio: "inherit" });
    if (base) execFileSync("cp", ["-an", `${realpathSync(base)}/.`, root]);
    layBase(root);
    for (const folder of ["proc", "dev", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
    cpSync("examples/digits/digits.mar", join(root, "models/digits.mar"));
    const python = execFileSync("find", [root, "-name", "python*", "-perm", "-u+x", "!", "-type", "d"]).toString();
    check("no Python inside", python === "");
    await tryServer(root, start);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

await replay(process.argv[2]);
