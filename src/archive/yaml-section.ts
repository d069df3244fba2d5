/**
 * A YAML mapping read with types: every wrong value is ServerError invalid_model that says file, line, key, what is
 * allowed and what was given. Pure.
 */
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type YAMLMap } from "yaml";
import { didYouMean } from "../config/suggest.js";
import { invalid } from "./failure.js";
import { maxAliases } from "./limits.js";

interface Context {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** Parses a document whose top is a mapping (or nothing). */
export function parseYaml(file: string, text: string): Section {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "core", version: "1.2", lineCounter: lines, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem) throw invalid(file, problem.message);
  const context = { file, document, lines };
  try {
    document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    throw invalid(file, error instanceof Error ? error.message : String(error));
  }
  if (document.contents === null) return new Section(context, undefined, "");
  if (!isMap(document.contents)) throw invalid(file, 'expected "key: value" lines');
  return new Section(context, document.contents, "");
}

export class Section {
  private readonly context: Context;
  private readonly map: YAMLMap | undefined;
  private readonly path: string;

  constructor(context: Context, map: YAMLMap | undefined, path: string) {
    this.context = context;
    this.map = map;
    this.path = path;
  }

  keys(): readonly string[] {
    return (this.map?.items ?? []).map((pair) => (isScalar(pair.key) ? String(pair.key.value) : "?"));
  }

  has(key: string): boolean {
    const value = this.node(key);
    return value !== undefined && !(isScalar(value) && value.value === null);
  }

  /** An error at the key's line. */
  fail(key: string, what: string): Error {
    const pair = this.map?.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
    const range = (pair?.key as Node | undefined)?.range ?? this.map?.range;
    const line = range ? `:${this.context.lines.linePos(range[0]).line}` : "";
    return invalid(`${this.context.file}${line}`, `${this.path}${key} ${what}`);
  }

  /** Refuses keys that are not among `known`, naming the nearest. */
  only(known: readonly string[]): void {
    for (const key of this.keys()) {
      if (!known.includes(key))
        throw this.fail(key, `is no known key${didYouMean(key, known)}; known: ${known.join(", ")}`);
    }
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.plain(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.fail(key, `must be a whole number from ${min} to ${max}, got ${JSON.stringify(value)}`);
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.plain(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && value >= min && value <= max) return value;
    throw this.fail(key, `must be a number from ${min} to ${max}, got ${JSON.stringify(value)}`);
  }

  boolean(key: string): boolean | undefined {
    const value = this.plain(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.fail(key, `must be true or false, got ${JSON.stringify(value)}`);
  }

  text(key: string): string | undefined {
    const value = this.plain(key);
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    throw this.fail(key, `must be text, got ${JSON.stringify(value)}`);
  }

  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const value = this.plain(key);
    if (value === undefined) return undefined;
    const found = choices.find((each) => each === value);
    if (found !== undefined) return found;
    const meant = typeof value === "string" ? didYouMean(value, choices) : "";
    throw this.fail(key, `must be one of ${choices.join(", ")}, got ${JSON.stringify(value)}${meant}`);
  }

  numbers(key: string): readonly number[] | undefined {
    const value = this.plain(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((each) => typeof each === "number" && Number.isFinite(each)))
      return value as number[];
    throw this.fail(key, `must be a list of numbers, got ${JSON.stringify(value)}`);
  }

  section(key: string): Section | undefined {
    if (!this.has(key)) return undefined;
    const node = this.node(key);
    if (isMap(node)) return new Section(this.context, node, `${this.path}${key}.`);
    throw this.fail(key, `must have keys of its own, got ${JSON.stringify(this.plain(key))}`);
  }

  /** A list of mappings. */
  sections(key: string): readonly Section[] | undefined {
    if (!this.has(key)) return undefined;
    const node = this.node(key);
    const items = (node as { items?: readonly unknown[] }).items;
    if (isMap(node) || !items) throw this.fail(key, `must be a list, got ${JSON.stringify(this.plain(key))}`);
    return items.map((each, i) => {
      const item = this.resolve(each as Node);
      if (isMap(item)) return new Section(this.context, item, `${this.path}${key}[${i}].`);
      throw this.fail(key, `must be a list of mappings such as {name: x}; item ${i} is not one`);
    });
  }

  /** The value as plain JavaScript; undefined when absent or null. */
  plain(key: string): unknown {
    if (!this.has(key)) return undefined;
    const node = this.node(key);
    return isScalar(node) ? node.value : node?.toJS(this.context.document, { maxAliasCount: maxAliases });
  }

  private node(key: string): Node | undefined {
    const found: unknown = this.map?.get(key, true);
    return found === undefined || found === null ? undefined : this.resolve(found as Node);
  }

  private resolve(node: Node): Node | undefined {
    return isAlias(node) ? node.resolve(this.context.document) : node;
  }
}
