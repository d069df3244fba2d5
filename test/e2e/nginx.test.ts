/** A server behind a real nginx, with the configuration of docs/proxies.md. Skipped by name where nginx is not installed. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, freePorts, models, repository, Server } from "./server.js";

const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` };
const installed = spawnSync("nginx", ["-v"], { env }).status === 0;
if (!installed) console.warn("nginx is not installed: test/e2e/nginx.test.ts is SKIPPED (apt-get install nginx-light)");

const sample = JSON.stringify(Array.from({ length: 16 }, (_, index) => index));

describe.skipIf(!installed)("behind nginx", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-nginx-"));
  let server: Server;
  let nginx: ChildProcess;
  let port = 0;
  /** Of a server with nothing but proxy_pass, which speaks HTTP/1.0 to what is behind it. */
  let plainPort = 0;

  beforeAll(async () => {
    const options = ["--base-path", "/models/", "--trusted-proxies", "127.0.0.1", "--max-connections-per-address", "1"];
    const logs = ["--log-folder", folder, "--access-log", "all", "--http-threads", "1", "--old-http"];
    server = await Server.start([`${models}ledger.pt`, ...options, ...logs]);
    [port = 0, plainPort = 0] = await freePorts(2);
    const page = readFileSync(`${repository}docs/proxies.md`, "utf8");
    const http = /```nginx\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (each) => `${each}_temp_path ${folder}/${each};`,
    );
    const given = http
      .replace("127.0.0.1:8080", `127.0.0.1:${server.port}`)
      .replace("listen 80;", `listen 127.0.0.1:${port}; access_log off;`)
      .replace(
        "http {",
        `http { server { listen 127.0.0.1:${plainPort}; access_log off; location / { proxy_pass http://127.0.0.1:${server.port}; } }`,
      )
      .replace("http {", `http { ${temporary.join(" ")}`);
    const user = process.getuid?.() === 0 ? "user root;" : "";
    writeFileSync(join(folder, "nginx.conf"), `${user} pid ${folder}/pid; worker_processes 1; events {}\n${given}`);
    const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log"), "-g", "daemon off;"];
    nginx = spawn("nginx", args, { env, stdio: "ignore" });
    await eventually(20_000, "nginx to answer", async () => (await get("/models/ping").catch(() => 0)) || undefined);
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => nginx.once("exit", resolve));
    nginx.kill("SIGQUIT");
    await ended;
    expect((await server.stop()).code, server.process.output).toBe(0);
    rmSync(folder, { recursive: true });
  });

  /** From 127.0.0.2, which is no trusted proxy; the status. */
  function get(path: string, body = "", headers: Readonly<Record<string, string>> = {}, to = port): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: to, path, headers, agent: false, localAddress: "127.0.0.2" };
      const sent = request({ ...options, method: body === "" ? "GET" : "POST" }, (answer) => {
        answer.resume();
        answer.once("end", () => resolve(answer.statusCode ?? 0));
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  test("nginx as it comes speaks HTTP/1.0", async () => {
    const json = { "content-type": "application/json" };
    expect(await get("/models/predictions/ledger", sample, json, plainPort)).toBe(200);
    expect(await get("/models/ping", "", {}, plainPort)).toBe(200);
  });

  test("predictions pass under the prefix; the log has the client's address, whatever it says itself", async () => {
    const forged = { "x-forwarded-for": "203.0.113.7", "x-request-id": "through" };
    expect(await get("/models/predictions/ledger", sample, forged)).toBe(200);
    // Around nginx, nobody is believed.
    expect(await get("/models/ping", "", { ...forged, "x-request-id": "around" }, server.port)).toBe(200);
    const line = (id: string): Promise<string> =>
      eventually(20_000, `the line of ${id}`, () =>
        readFileSync(join(folder, "access_log.log"), "utf8")
          .split("\n")
          .find((each) => each.includes(`"${id}"`)),
      );
    expect(JSON.parse(await line("through"))).toMatchObject({ path: "/predictions/ledger", address: "127.0.0.2" });
    expect(JSON.parse(await line("around"))).toMatchObject({ path: "/ping", address: "127.0.0.2" });
  });

  test("a path outside the prefix is 404 by the option's name, the management port has the prefix too", async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/ping`);
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining("--base-path")]);
    const management = `http://127.0.0.1:${server.managementPort}`;
    expect((await fetch(`${management}/models/models`)).status).toBe(200);
    const document = (await (await fetch(`${management}/models/api-description`)).json()) as { servers: unknown };
    expect(document.servers).toEqual([{ url: "/models" }]);
    expect((await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).status).toBe(200);
  });

  test("nginx' connections have no cap of their own", async () => {
    const many = Array.from({ length: 16 }, () => get("/models/predictions/ledger", sample));
    expect(new Set(await Promise.all(many))).toEqual(new Set([200]));
    expect(await server.metric(/^sconce_http_connections_refused_total/)).toBe(0);
  });
});
