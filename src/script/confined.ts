/**
 * The process of a handler that the operator does not trust: Node's permission model where the running Node has it (it may
 * read its model's folder and what it is made of, start nothing, load no addon), a clean environment, a limit on its memory
 * and its files, an end with the server however that ends. Its hooks look like a handler's own to the thread that has it.
 * Thread: the handler's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Answer,
  type HandlerDefinition,
  type ModelFacts,
  type ModelInput,
  type OutputTensor,
  type Request,
} from "../handlers/define.js";
import type { ScriptSpec } from "../types.js";
import { GroupGuard } from "../worker/guard.js";
import { errorFrom, madeError } from "./child-errors.js";
import type { FromChild, Made, ToChild } from "./child-messages.js";
import type { FromGuest } from "./messages.js";
import { HookRequest } from "./request.js";
import { MadePart } from "./stream.js";

export interface ConfinedOptions {
  readonly code: string;
  readonly script: ScriptSpec;
  readonly model: ModelFacts;
  readonly env: Readonly<Record<string, string>>;
  readonly say: (message: Extract<FromGuest, { readonly type: "log" | "metrics" }>) => void;
  /** Runs the model for the handler. */
  readonly infer: (input: ModelInput) => Promise<readonly OutputTensor[]>;
  /** The process ended unasked. */
  readonly ended: (reason: string) => void;
}

/** Files and sockets that the process may have open. */
const maxFiles = 256;
const dist = fileURLToPath(new URL("../", import.meta.url));
const limits = 'ulimit -c 0; ulimit -n "$1"; [ "$2" = 0 ] || ulimit -d "$2" || exit 78; shift 2; exec "$@"';

/** `folders`: what may be read. Pure, but for the running Node's own flags. */
export function permissionFlags(folders: readonly string[], allowed = process.allowedNodeEnvironmentFlags): string[] {
  const flag = ["--permission", "--experimental-permission"].find((each) => allowed.has(each));
  return flag === undefined ? [] : [flag, "--no-warnings", ...folders.map((each) => `--allow-fs-read=${each}`)];
}

export class Confined {
  private readonly options: ConfinedOptions;
  private readonly child: ChildProcess;
  private readonly guard: GroupGuard;
  private readonly calls = new Map<number, { resolve: (made: readonly Made[]) => void; reject: (e: Error) => void }>();
  private readonly keys = new Map<Request, number>();
  private nextKey = 1;
  private nextCall = 1;
  private pingedAt: number | undefined;
  private gone = "";

  constructor(options: ConfinedOptions, file: string) {
    this.options = options;
    const { script, env } = options;
    const flags = permissionFlags([
      `${dist}*`,
      join(dist, "../package.json"),
      `${realpathSync(script.folder)}/*`,
      file,
    ]);
    const command = [process.execPath, ...flags, join(dist, "script/child.js")];
    const words = [String(maxFiles), String(Math.floor(script.maxMemory / 1024)), ...command];
    this.child = spawn("/bin/sh", ["-c", limits, "sh", ...words], {
      cwd: script.folder,
      env,
      detached: true,
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.child.stdout?.on("data", (chunk: Uint8Array) => void process.stdout.write(chunk));
    this.child.stderr?.on("data", (chunk: Uint8Array) => void process.stderr.write(chunk));
    this.guard = new GroupGuard(() => undefined);
    const { pid } = this.child;
    if (pid !== undefined) this.guard.add(pid);
    this.child.on("error", (error) => this.over(`it does not start: ${error.message}`));
    this.child.on("exit", (code, signal) =>
      this.over(signal === null ? `exit code ${code ?? ""}` : `signal ${signal}`),
    );
  }

  /** Rejects with what is wrong. */
  static async start(
    options: ConfinedOptions,
  ): Promise<{ readonly handler: HandlerDefinition; readonly process: Confined }> {
    const folder = mkdtempSync(join(tmpdir(), "sconce-handler-"));
    try {
      const file = join(folder, "handler.mjs");
      writeFileSync(file, options.code, { mode: 0o600 });
      const confined = new Confined(options, realpathSync(file));
      return { handler: await confined.begin(realpathSync(file)), process: confined };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** The process stands still: it has not answered since the last tick. What waits for it then is not late by itself. */
  get still(): boolean {
    return this.pingedAt !== undefined;
  }

  /** Now and then: a process that does not answer for longer than a hook may take is ended. */
  tick(): void {
    if (this.gone !== "") return;
    if (this.pingedAt === undefined) {
      this.pingedAt = performance.now();
      this.tell({ type: "ping" });
    } else if (performance.now() - this.pingedAt > this.options.script.hookTimeoutMs) {
      this.child.kill("SIGKILL");
    }
  }

  /** The request is done with, and, where somebody waited, nobody does. */
  forget(request: Request): void {
    const key = this.keys.get(request);
    if (key === undefined) return;
    this.keys.delete(request);
    if (request instanceof HookRequest && request.isAborted) this.tell({ type: "abort", key });
    this.tell({ type: "forget", key });
  }

  private begin(file: string): Promise<HandlerDefinition> {
    const { model, script } = this.options;
    return new Promise((resolve, reject) => {
      this.child.once("exit", () => reject(new Error(`its process ended: ${this.gone}`)));
      this.child.once("error", reject);
      this.child.on("message", (message: FromChild) => {
        if (message.type === "started") resolve(this.definition(message));
        else if (message.type === "failed") reject(new Error(message.message));
        else this.heard(message);
      });
      this.tell({ type: "start", file, shown: script.file, model, config: script.config });
    });
  }

  private definition(has: Extract<FromChild, { readonly type: "started" }>): HandlerDefinition {
    const pre = (requests: readonly Request[]): Promise<readonly Made[]> =>
      this.call((call) => ({ type: "preprocess", call, requests: requests.map((each) => this.sent(each)) }));
    const post = (
      requests: readonly Request[],
      outputs: readonly (readonly OutputTensor[])[],
    ): Promise<readonly Made[]> =>
      this.call((call) => ({ type: "postprocess", call, requests: requests.map((each) => this.sent(each)), outputs }));
    if (has.batch) {
      return {
        batch: true,
        ...(has.preprocess
          ? { preprocess: async (requests: readonly Request[]) => (await pre(requests)).map(inputOrError) }
          : {}),
        ...(has.postprocess
          ? {
              postprocess: async (outputs: readonly (readonly OutputTensor[])[], requests: readonly Request[]) =>
                (await post(requests, outputs)).map((made, i) => this.answer(made, requests[i])),
            }
          : {}),
      };
    }
    if (has.inference) {
      // All hooks in one go: what they hand on is the handler's own and stays in its process.
      const whole = (request: Request): Promise<readonly Made[]> =>
        this.call((call) => ({ type: "answer", call, requests: [this.sent(request)] }));
      return { inference: async (_input, request) => orThrow(this.answer((await whole(request))[0], request)) };
    }
    return {
      ...(has.preprocess
        ? { preprocess: async (request: Request) => orThrow(inputOrError((await pre([request]))[0])) }
        : {}),
      ...(has.postprocess
        ? {
            postprocess: async (outputs: readonly OutputTensor[], request: Request) =>
              orThrow(this.answer((await post([request], [outputs]))[0], request)),
          }
        : {}),
    };
  }

  /** An Answer, or an Error. */
  private answer(made: Made | undefined, request: Request | undefined): unknown {
    if (made === undefined || !("answer" in made)) return errorOf(made);
    const { body, status = 200, contentType, headers = [] } = made.answer;
    const usual =
      body === undefined ? undefined : typeof body === "string" ? "application/json" : "application/octet-stream";
    const type = contentType ?? usual;
    return new Answer(body ?? this.parts(request), {
      status,
      ...(type === undefined ? {} : { contentType: type }),
      headers: Object.fromEntries(headers),
    });
  }

  /** Asked for one by one, so that the process makes none for which there is no room; it ends them when it forgets. */
  private parts(request: Request | undefined): AsyncIterable<MadePart> {
    const next = async (): Promise<IteratorResult<MadePart>> => {
      const key = request && this.keys.get(request);
      if (key === undefined) return { done: true, value: undefined };
      const [made] = await this.call((call) => ({ type: "next", call, key }));
      if (made === undefined || !("part" in made)) throw errorOf(made);
      return made.part === undefined
        ? { done: true, value: undefined }
        : { done: false, value: new MadePart(made.part) };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /** With its bytes where the process does not have it yet. */
  private sent(request: Request): { readonly key: number; readonly wire?: HookRequest["wire"] } {
    const known = this.keys.get(request);
    if (known !== undefined) return { key: known };
    const key = this.nextKey++;
    this.keys.set(request, key);
    return request instanceof HookRequest ? { key, wire: request.wire } : { key };
  }

  private call(message: (call: number) => ToChild | object): Promise<readonly Made[]> {
    const call = this.nextCall++;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject });
      this.tell(message(call) as ToChild);
    });
  }

  private tell(message: ToChild): void {
    if (this.gone !== "" || !this.child.connected) return;
    // What cannot be sent is over with the process, which says so by its end.
    this.child.send(message, () => undefined);
  }

  private heard(message: Exclude<FromChild, { readonly type: "started" | "failed" }>): void {
    if (message.type === "pong") this.pingedAt = undefined;
    else if (message.type === "made") {
      const { call, made, failed } = message;
      if (failed === undefined) this.calls.get(call)?.resolve(made);
      else this.calls.get(call)?.reject(errorFrom(failed));
      this.calls.delete(message.call);
    } else if (message.type === "infer") void this.infer(message);
    else this.options.say(message);
  }

  private async infer({ run, rows }: Extract<FromChild, { readonly type: "infer" }>): Promise<void> {
    try {
      this.tell({ type: "inferred", run, outputs: await this.options.infer({ rows: rows as never }) });
    } catch (error) {
      this.tell({ type: "inferred", run, outputs: [], failed: madeError(error) });
    }
  }

  private over(reason: string): void {
    if (this.gone !== "") return;
    this.gone = reason;
    const { pid } = this.child;
    if (pid !== undefined) this.guard.remove(pid);
    this.options.ended(reason);
  }
}

function inputOrError(made: Made | undefined): { readonly rows: never } | Error {
  if (made !== undefined && "rows" in made) return { rows: made.rows as never };
  return errorOf(made);
}

function errorOf(made: Made | undefined): Error {
  return errorFrom(made !== undefined && "error" in made ? made.error : { words: "the process gave no answer" });
}

function orThrow<T>(made: T | Error): T {
  if (made instanceof Error) throw made;
  return made;
}
