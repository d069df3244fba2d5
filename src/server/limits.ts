/** What every port is told of the configuration, as plain data that crosses to the threads. Pure. */

import type { GateMemory } from "../auth/gate.js";
import type { ServeConfig } from "../config/serve-config.js";
import { defaultMaxChunks, defaultMaxDiscard } from "../http/limits.js";
import type { ThreadLimits } from "./messages.js";

export function threadLimits(config: ServeConfig, { tokens, namedTokens }: GateMemory, version: string): ThreadLimits {
  return {
    maxRequestSize: config.maxRequestSize,
    bodyTimeoutMs: config.bodyTimeoutMs,
    writeTimeoutMs: config.writeTimeoutMs,
    responseTimeoutMs: config.responseTimeoutMs,
    maxChunks: defaultMaxChunks,
    maxDiscard: defaultMaxDiscard,
    cors: corsLines(config),
    maxResponseSize: config.maxResponseSize,
    basePath: config.basePath === undefined ? "" : trimmed(config.basePath),
    trustedProxies: config.trustedProxies,
    proxyHeader: config.proxyHeader,
    oldHttp: config.oldHttp,
    makeRequestIds: config.requestIds === "always",
    accessLog: config.accessLog,
    logFormat: config.logFormat,
    // With one core, staying awake would keep the client itself from running.
    lingerMs: config.cores > 1 ? config.lingerUs / 1000 : 0,
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    maxInflateRatio: config.maxInflateRatio,
    maxImagePixels: config.maxImagePixels,
    tokens,
    namedTokens,
    compat: config.compat,
    healthRoute: config.healthRoute ?? "",
    predictRoute: config.predictRoute ?? "",
    multiModel: config.multiModel,
    loadWaitMs: config.loadWaitMs,
    version,
    decodeParallelism: Math.max(1, Math.ceil(config.cores / Math.max(1, config.httpThreads))),
  };
}

/** "/models/" and "/models" mean the same; "/" means none. */
const trimmed = (path: string): string => path.replace(/\/+$/, "");

/** One text for the answers' heads; the values were checked for line breaks. */
function corsLines({ corsAllowedOrigin, corsAllowedMethods, corsAllowedHeaders }: ServeConfig): string {
  const lines = { origin: corsAllowedOrigin, methods: corsAllowedMethods, headers: corsAllowedHeaders };
  return Object.entries(lines)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `access-control-allow-${name}: ${value}`)
    .join("\r\n");
}
