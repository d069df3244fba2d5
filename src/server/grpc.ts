/** Main's side of the gRPC thread, behind the same interface as the HTTP threads'; nothing when no port is wanted. */

import type { Manage } from "../api/grpc/management.js";
import type { ServeConfig } from "../config/serve-config.js";
import type { TlsFiles } from "../http/raw.js";
import { HttpState } from "../metrics/http-counters.js";
import { RpcCounters } from "../metrics/rpc-counters.js";
import { type GrpcPorts, GrpcServer, type GrpcServerOptions, type GrpcSetup } from "./grpc-server.js";
import type { GrpcThreadSetup, News } from "./messages.js";
import { Thread, type ThreadsOptions } from "./threads.js";

export interface GrpcThread {
  readonly ports: GrpcPorts;
  /** Resolves when the thread knows. */
  learn(news: News): Promise<void>;
  /** New connections meet this certificate. */
  renew(tls: TlsFiles): Promise<void>;
  /** Resolves with the number of calls cut. */
  drain(timeoutMs: number): Promise<number>;
}

/** What the configuration asks for; undefined: no gRPC port. */
export function grpcSetup(config: ServeConfig): GrpcSetup | undefined {
  const { grpcInferencePort: inference, grpcManagementPort: management, maxResponseSize } = config;
  if (inference === "off" && management === "off") return undefined;
  const inferencePort = {
    host: config.grpcInferenceHost,
    maxConnectionAgeMs: config.grpcInferenceMaxConnectionAgeMs,
    maxConnectionAgeGraceMs: config.grpcInferenceMaxConnectionAgeGraceMs,
  };
  const managementPort = {
    host: config.grpcManagementHost,
    maxConnectionAgeMs: config.grpcManagementMaxConnectionAgeMs,
    maxConnectionAgeGraceMs: config.grpcManagementMaxConnectionAgeGraceMs,
  };
  return {
    inference: inference === "off" ? undefined : { ...inferencePort, port: inference },
    management: management === "off" ? undefined : { ...managementPort, port: management },
    maxResponseSize,
    maxStreams: config.grpcMaxStreams,
  };
}

export interface GrpcStart {
  readonly setup: GrpcSetup;
  /** Of metrics/rpc-counters.ts. */
  readonly rpcMemory: SharedArrayBuffer;
  readonly manage: Manage;
  /** TLS; the files are there until the start has ended. */
  readonly tls: TlsFiles | undefined;
}

/** Rejects with ServerError when a port cannot be had. `options.count` 0: on main itself. */
export async function startGrpc(options: ThreadsOptions, start: GrpcStart): Promise<GrpcThread> {
  return options.count === 0 ? onMain(options, start) : onThread(options, start);
}

async function onMain(options: ThreadsOptions, { setup, rpcMemory, manage, tls }: GrpcStart): Promise<GrpcThread> {
  const { engine, memory, limits, log } = options;
  const state = new HttpState(memory, 0);
  const counters = new RpcCounters(rpcMemory);
  const report: GrpcServerOptions["report"] = (level, words, fields) => log[level](words, fields);
  const doors = { door: engine.openDoor?.(), scripts: engine.openScriptDoor?.() };
  const told = { report, waited: options.waits.add };
  const server = new GrpcServer({ engine, state, counters, limits, setup, manage, tls, ...told, ...doors });
  const ports = await server.open();
  return {
    ports,
    learn: (news) => {
      server.learn(news);
      return Promise.resolve();
    },
    renew: (files) => {
      server.renew(files);
      return Promise.resolve();
    },
    drain: (timeoutMs) => server.drain(timeoutMs),
  };
}

async function onThread(
  options: ThreadsOptions,
  { setup: grpc, rpcMemory, manage, tls }: GrpcStart,
): Promise<GrpcThread> {
  const { memory, engine, engineModule, limits, log, writeAccess, waits } = options;
  const doors = { door: engine.openDoor?.(), scripts: engine.openScriptDoor?.() };
  const setup: GrpcThreadSetup = { index: 0, memory, engineModule, limits, ...doors, tls, grpc, rpcMemory };
  const entry = new URL("./grpc-thread.js", import.meta.url);
  const thread = new Thread({ entry, name: "grpc", setup, log, writeAccess, manage, waited: waits.add });
  const ports = (await thread.ready) as GrpcPorts;
  return {
    ports,
    learn: (news) => thread.tell((id) => ({ ...news, id })),
    renew: async (files) => {
      await thread.renew(files);
    },
    drain: (timeoutMs) => thread.drain(timeoutMs),
  };
}
