/**
 * The file of named tokens: text → tokens. Pure.
 *
 *   limits:
 *     standard: { rate: 100, burst: 200 }
 *   tokens:
 *     - { name: shop, role: infer, sha256: 64 hexadecimal digits, limit: standard, expires: 2027-01-01 }
 */

import { isMap, isNode, LineCounter, parseDocument, type Document } from "yaml";
import { maxNameBytes, maxTokens, type NamedToken, type RateLimit, type Role, roles } from "../auth/token-table.js";
import { UsageError } from "../config/usage-error.js";

const maxLimits = 64;
const maxRate = 1_000_000;
const nameShape = new RegExp(`^[A-Za-z0-9][\\w.-]{0,${maxNameBytes - 1}}$`);
const nameWords = `a name of letters, digits, ".", "_" and "-", at most ${maxNameBytes}`;

type Fields = Readonly<Record<string, unknown>>;
type Where = readonly (string | number)[];

/** Throws UsageError naming file, line, key, value and what is allowed. */
export function readTokens(path: string, text: string): readonly NamedToken[] {
  return new TokenFile(path, text).read();
}

class TokenFile {
  private readonly path: string;
  private readonly lines = new LineCounter();
  private readonly document: Document;

  constructor(path: string, text: string) {
    this.path = path;
    this.document = parseDocument(text, { schema: "core", lineCounter: this.lines, uniqueKeys: true });
  }

  read(): readonly NamedToken[] {
    const problem = this.document.errors[0];
    if (problem) throw new UsageError(`${this.path}: ${problem.message}`);
    const root = this.fields(isMap(this.document.contents) ? this.plain() : {}, [], ["limits", "tokens"]);
    const limits = this.limits(root["limits"] ?? {});
    const given = root["tokens"];
    if (!Array.isArray(given) || given.length === 0 || given.length > maxTokens) {
      throw this.fault(["tokens"], `a list of 1 to ${maxTokens} tokens`);
    }
    const tokens = given.map((each, index) => this.token(each, ["tokens", index], limits));
    this.noneTwice(tokens.map(({ name }) => name));
    this.noneTwice(tokens.map(({ sha256 }) => sha256.toString("hex")));
    return tokens;
  }

  private plain(): unknown {
    try {
      // No aliases: a file of this kind has no use for them.
      return this.document.toJS({ maxAliasCount: 0 });
    } catch (error) {
      throw new UsageError(`${this.path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private limits(given: unknown): ReadonlyMap<string, RateLimit> {
    const all = Object.entries(this.fields(given, ["limits"]));
    if (all.length > maxLimits) throw this.fault(["limits"], `at most ${maxLimits} limits`);
    return new Map(
      all.map(([name, value]) => {
        const where = ["limits", name];
        if (!nameShape.test(name)) throw this.fault(where, nameWords);
        const { rate, burst } = this.fields(value, where, ["rate", "burst"]);
        if (typeof rate !== "number" || !(rate >= 0.001 && rate <= maxRate)) {
          throw this.fault([...where, "rate"], `requests per second, from 0.001 to ${maxRate}`);
        }
        const bursts = burst ?? Math.max(1, Math.ceil(rate));
        if (typeof bursts !== "number" || !Number.isInteger(bursts) || bursts < 1 || bursts > maxRate) {
          throw this.fault(
            [...where, "burst"],
            `a whole number of requests that may come at once, from 1 to ${maxRate}`,
          );
        }
        return [name, { name, rate, burst: bursts }] as const;
      }),
    );
  }

  private token(given: unknown, where: Where, limits: ReadonlyMap<string, RateLimit>): NamedToken {
    const fields = this.fields(given, where, ["name", "role", "sha256", "limit", "expires"]);
    const { name, role, sha256, limit } = fields;
    if (typeof name !== "string" || !nameShape.test(name)) throw this.fault([...where, "name"], nameWords);
    if (!roles.includes(role as Role)) throw this.fault([...where, "role"], roles.join(", "));
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256)) {
      throw this.fault([...where, "sha256"], "the key's SHA-256 in hexadecimal (sconce token makes key and entry)");
    }
    const found = typeof limit === "string" ? limits.get(limit) : undefined;
    if (limit !== undefined && found === undefined) {
      throw this.fault([...where, "limit"], `a name under limits: ${[...limits.keys()].join(", ") || "there is none"}`);
    }
    const expiresAtMs = this.expiry(fields["expires"], [...where, "expires"]);
    return { name, role: role as Role, sha256: Buffer.from(sha256, "hex"), expiresAtMs, limit: found };
  }

  private expiry(given: unknown, where: Where): number | undefined {
    if (given === undefined) return undefined;
    const time = typeof given === "string" && /^\d{4}-\d\d-\d\d/.test(given) ? Date.parse(given) : NaN;
    if (Number.isNaN(time)) throw this.fault(where, "a day or an instant such as 2027-01-31 or 2027-01-31T12:00:00Z");
    return time;
  }

  private fields(given: unknown, where: Where, known?: readonly string[]): Fields {
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw this.fault(where, known === undefined ? "names with values" : `a mapping with ${known.join(", ")}`);
    }
    const strange = known && Object.keys(given).find((key) => !known.includes(key));
    if (strange !== undefined) throw this.fault([...where, strange], `only ${known?.join(", ") ?? ""}`);
    return given as Fields;
  }

  private noneTwice(values: readonly string[]): void {
    const twice = values.findIndex((value, index) => values.indexOf(value) !== index);
    if (twice >= 0) throw this.fault(["tokens", twice], "a name and a key of its own");
  }

  private fault(where: Where, expected: string): UsageError {
    const node = where.length === 0 ? this.document.contents : this.document.getIn(where, true);
    const start = isNode(node) ? node.range?.[0] : undefined;
    const line = start === undefined ? "" : `:${this.lines.linePos(start).line}`;
    const key = where.map((each) => (typeof each === "number" ? `[${each}]` : `.${each}`)).join("");
    const value = isNode(node) && "value" in node ? ` ${JSON.stringify(node.value)}` : "";
    return new UsageError(`${this.path}${line}: ${key.slice(1)}${value}: expected ${expected}`);
  }
}
