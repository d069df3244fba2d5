/** Token authorization of one server: the keys that main makes, and the guard that every port puts before its dialect. */
import { GuardedDialect, unauthorized } from "../api/torchserve/guard.js";
import { Gate, type GateMemory } from "../auth/gate.js";
import { TokenIssuer } from "../auth/token-issuer.js";
import type { ServeConfig } from "../config/serve-config.js";
import { ServerError } from "../errors.js";
import type { RpcGate } from "../rpc.js";
import type { Dialect } from "../wire.js";
import type { ThreadLimits } from "./messages.js";

/** Undefined when requests need no key. */
export function openIssuer({ tokenAuth, keyFile, tokenExpirationMs }: ServeConfig): TokenIssuer | undefined {
  return tokenAuth ? new TokenIssuer({ path: keyFile, expirationMs: tokenExpirationMs }) : undefined;
}

/** Writes the key file. Throws ServerError naming the option. */
export function publishKeys(issuer: TokenIssuer | undefined, config: ServeConfig): void {
  try {
    issuer?.publish();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const fix = "--key-file names another place, --no-token-auth does without keys";
    throw new ServerError("internal", `The key file ${config.keyFile} cannot be written: ${reason}; ${fix}`, {
      cause: error,
    });
  }
}

/** The dialect itself when requests need no key. */
export function guarded(
  dialect: Dialect,
  kind: "management" | "inference",
  { compat, ...memory }: Pick<ThreadLimits, "compat"> & GateMemory,
  issuer?: TokenIssuer,
): Dialect {
  if (isOpen(memory)) return dialect;
  const gate = new Gate(memory);
  return new GuardedDialect(dialect, { kind, gate, compat, ...(issuer === undefined ? {} : { issuer }) });
}

const isOpen = ({ tokens, namedTokens }: GateMemory): boolean => tokens === undefined && namedTokens === undefined;

/** The same in front of a gRPC port. */
export function rpcGate(
  kind: "management" | "inference",
  { compat, ...memory }: Pick<ThreadLimits, "compat"> & GateMemory,
): RpcGate | undefined {
  if (isOpen(memory)) return undefined;
  // TorchServe's status, which its clients look for.
  const unknown = compat === "torchserve" ? "PERMISSION_DENIED" : "UNAUTHENTICATED";
  const gate = new Gate(memory);
  return (authorization, reads, counts) => {
    const need = kind === "inference" ? "infer" : reads ? "view" : "change";
    const verdict = gate.ask(kind, need, authorization, counts);
    switch (verdict.outcome) {
      case "pass":
        return undefined;
      case "unauthorized":
        return { status: unknown, message: unauthorized };
      case "forbidden":
        return { status: "PERMISSION_DENIED", message: verdict.message, metadata: [["x-sconce-error", "forbidden"]] };
      case "limited": {
        const pushback = ["grpc-retry-pushback-ms", String(verdict.retryAfterMs)] as const;
        const metadata = [["x-sconce-error", "rate_limited"] as const, pushback];
        return { status: "RESOURCE_EXHAUSTED", message: verdict.message, metadata };
      }
    }
  };
}
