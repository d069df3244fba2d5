/** Plays gRPC calls against a server: by stubs that Python's standard tools generated, or by grpc-js where there are none. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { repository, type Server } from "../../e2e/server.js";
import { RpcClient } from "../../integration/grpc-client.js";
import type { RpcForm } from "./rpc-form.js";

export interface RpcSeen {
  readonly code: number;
  readonly text: string;
  readonly details: string;
  /** The trailer x-sconce-error, "" when absent. */
  readonly error: string;
}

export interface RpcPlayer {
  play(form: RpcForm): Promise<RpcSeen>;
  close(): void;
}

const python = process.env["SCONCE_PYTHON"] ?? "python3";
export const hasTools = spawnSync(python, ["-c", "import grpc_tools.protoc, grpc"]).status === 0;

export function openPlayer(server: Server): RpcPlayer {
  return hasTools ? pythonPlayer(server) : nodePlayer(server);
}

function nodePlayer(server: Server): RpcPlayer {
  const clients = { inference: new RpcClient(server.grpcPort), management: new RpcClient(server.grpcManagementPort) };
  return {
    play: async ({ service, method, message, data, metadata }) => {
      const asked = data === undefined ? message : { ...message, input: { data } };
      const options = { metadata: clients[service].newMetadata(metadata) };
      const seen = await clients[service].call(service, method, asked, options);
      const { msg = "", health = msg } = seen.message;
      const text = service === "inference" && method !== "Ping" ? seen.text : String(health);
      const error = seen.trailers?.get("x-sconce-error")[0] ?? "";
      return { code: seen.code, text, details: seen.details, error: String(error) };
    },
    close: () => Object.values(clients).forEach((each) => each.close()),
  };
}

/** Raw answers of rpc_player.py. */
interface Line {
  readonly code: number;
  readonly text: string;
  readonly details: string;
  readonly trailers: Readonly<Record<string, string>>;
}

function pythonPlayer(server: Server): RpcPlayer {
  const folder = mkdtempSync(join(tmpdir(), "sconce-stubs-"));
  const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
  const protos = ["inference.proto", "management.proto", "google/rpc/status.proto"];
  execFileSync(python, ["-m", "grpc_tools.protoc", `--proto_path=${join(repository, "proto")}`, ...out, ...protos]);
  const ports = [server.grpcPort, server.grpcManagementPort].map(String);
  const child = spawn(python, [join(import.meta.dirname, "rpc_player.py"), folder, ...ports], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    play: async ({ data, ...form }) => {
      const more = data === undefined ? {} : { data: data.toString("base64") };
      child.stdin.write(`${JSON.stringify({ ...form, ...more })}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error("rpc_player.py ended");
      const { trailers, text, code, details } = JSON.parse(line.value) as Line;
      const words = Buffer.from(text, "base64").toString();
      return { code, details, text: words, error: trailers["x-sconce-error"] ?? "" };
    },
    close: () => {
      child.stdin.end();
      rmSync(folder, { recursive: true });
    },
  };
}
