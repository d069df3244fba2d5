/** Token authorization of one server: the keys that main makes, and the guard that every port puts before its dialect. */
import { GuardedDialect } from "../api/torchserve/guard.js";
import { TokenCheck } from "../auth/token-check.js";
import { TokenIssuer } from "../auth/token-issuer.js";
import type { ServeConfig } from "../config/serve-config.js";
import { ServerError } from "../errors.js";
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
  { tokens, compat }: Pick<ThreadLimits, "tokens" | "compat">,
  issuer?: TokenIssuer,
): Dialect {
  if (tokens === undefined) return dialect;
  const check = new TokenCheck(tokens);
  return new GuardedDialect(dialect, { kind, check, compat, ...(issuer === undefined ? {} : { issuer }) });
}
