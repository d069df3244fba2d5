/**
 * Token authorization in front of a dialect, as TorchServe has it: the check comes before the routes, so an unknown path
 * without a key is refused for the key. `GET /token` on the management port makes a new key. The thread of its port.
 */
import type { Gate, Need } from "../../auth/gate.js";
import type { TokenIssuer } from "../../auth/token-issuer.js";
import type { Dialect, Exchange, WireError, WireErrorCode, WireHeaders } from "../../wire.js";
import { json, sendError } from "./errors.js";

export const unauthorized = "Token Authorization failed. Token either incorrect, expired, or not provided correctly";
const unauthenticated = "Token Authentication failed. Token either incorrect, expired, or not provided correctly";
const challenge = [["www-authenticate", "Bearer"]] as const;

export interface GuardOptions {
  readonly kind: "management" | "inference";
  readonly gate: Gate;
  /** TorchServe's 400, and its closed /ping; else 401, and health answers everybody. */
  readonly compat: "torchserve" | "sconce";
  /** On the management port: who makes new keys. */
  readonly issuer?: TokenIssuer;
}

export class GuardedDialect implements Dialect {
  readonly readsPostQuery: boolean;
  private readonly inner: Dialect;
  private readonly options: GuardOptions;

  constructor(inner: Dialect, options: GuardOptions) {
    this.inner = inner;
    this.readsPostQuery = inner.readsPostQuery ?? false;
    this.options = options;
  }

  head(exchange: Exchange): void {
    const { kind, gate, compat, issuer } = this.options;
    if (issuer !== undefined && /^\/token\/?$/.test(exchange.path)) {
      this.rotate(exchange, issuer);
      return;
    }
    if (isOpen(exchange, compat)) {
      this.inner.head(exchange);
      return;
    }
    const verdict = gate.ask(kind, needOf(kind, exchange), exchange.authorization);
    switch (verdict.outcome) {
      case "pass":
        this.inner.head(exchange);
        return;
      case "unauthorized":
        this.refuse(exchange, unauthorized);
        return;
      case "forbidden":
        this.answer(exchange, "forbidden", verdict.message);
        return;
      case "limited": {
        const seconds = String(Math.ceil(verdict.retryAfterMs / 1000));
        this.answer(exchange, "rate_limited", verdict.message, [["retry-after", seconds]]);
      }
    }
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    this.inner.body(exchange, chunk);
  }
  aborted(exchange: Exchange): void {
    this.inner.aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.inner.expired(exchange);
  }
  error(code: WireErrorCode, message: string, path: string): WireError {
    return this.inner.error(code, message, path);
  }

  /** The new key is only in the key file: an answer may be logged on its way. */
  private rotate(exchange: Exchange, issuer: TokenIssuer): void {
    const type = new URLSearchParams(exchange.query).get("type");
    const known = type === "management" || type === "inference";
    if (!known || !this.options.gate.mayRotate(exchange.authorization)) {
      this.refuse(exchange, unauthenticated);
      return;
    }
    try {
      issuer.rotate(type);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      sendError(exchange, "internal", `The key file cannot be written, the ${type} key stays: ${reason}`);
      return;
    }
    exchange.refuse(200, json, "\n");
  }

  private refuse(exchange: Exchange, message: string): void {
    const code = this.options.compat === "torchserve" ? "invalid_key" : "unauthorized";
    this.answer(exchange, code, message, challenge);
  }

  private answer(exchange: Exchange, code: WireErrorCode, message: string, headers?: WireHeaders): void {
    const { status, body } = this.inner.error(code, message, exchange.path);
    exchange.refuse(status, json, body, headers);
  }
}

const reading = ["GET", "HEAD", "OPTIONS"];

/** /ping of the management port is looking, and so is everything else that is only read there. */
function needOf(kind: GuardOptions["kind"], { method }: Exchange): Need {
  if (kind === "inference") return "infer";
  return reading.includes(method) ? "view" : "change";
}

/** What TorchServe answers without a key; and health, where probes need not be given one. */
function isOpen({ method, path }: Exchange, compat: GuardOptions["compat"]): boolean {
  if (path === "/api-description" || (path === "/" && method === "OPTIONS")) return true;
  return compat === "sconce" && (path === "/ping" || path.startsWith("/v2/health/"));
}
