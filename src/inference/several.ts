/**
 * One request of several pictures: each goes to the engine as a request of its own, under a cookie of its own, so that the
 * batcher treats it like any other; the request is over when all of them are.
 *
 *   several.start(call, pictures, done)   submits as many as may wait at a time, the others as these are answered
 *   several.completed(cookie, …)          from the channel's sink, for cookies that `owns` knows
 *
 * What fails fails the request, by the first picture that did; the others are dropped where the engine has not begun them.
 * Thread: one per HTTP thread.
 */
import { type Channel, INLINE, OutputFormat, unnamed } from "../engine/engine.js";
import { type ErrorCode, nativeErrorCode, ServerError } from "../errors.js";
import type { OutputTensor, Pixels } from "../handlers/handler.js";
import type { Call } from "./call.js";

/** Cookies from here on are parts of requests; exchanges are numbered from 0 and never come near. */
const firstCookie = 2 ** 31;
const lastCookie = 2 ** 32 - 1;
/** Of one request in the engine at a time: a full batch, and what else there is in the model's queue stays for others. */
const maxUnderWay = 64;

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** `outputs`: those of one picture after those of another. */
export type SeveralDone = (model: string, outcome: readonly OutputTensor[] | Failure) => void;

interface Group {
  readonly call: Call;
  readonly pictures: readonly Pixels[];
  /** Place of the first that the engine has not been given. */
  next: number;
  readonly cookies: number[];
  readonly outputs: (readonly OutputTensor[])[];
  readonly done: SeveralDone;
  waiting: number;
  model: string;
  /** Of the first picture, in the request's order, that failed. */
  failure: (Failure & { readonly index: number }) | undefined;
}

interface Part {
  readonly group: Group;
  readonly index: number;
}

export class Several {
  private readonly channel: Channel;
  private readonly flushSoon: () => void;
  private readonly parts = new Map<number, Part>();
  private readonly groups = new Map<Call, Group>();
  private next = firstCookie;

  /** `flushSoon`: something completes at the channel's next flush. */
  constructor(channel: Channel, flushSoon: () => void) {
    this.channel = channel;
    this.flushSoon = flushSoon;
  }

  owns(cookie: number): boolean {
    return cookie >= firstCookie;
  }

  start(call: Call, pictures: readonly Pixels[], done: SeveralDone): void {
    const start = { cookies: [], outputs: [], waiting: 0, model: "", failure: undefined };
    const group: Group = { ...start, call, pictures, next: 0, done };
    this.groups.set(call, group);
    this.submit(group);
    if (group.waiting === 0) this.finish(group);
  }

  completed(
    cookie: number,
    code: number,
    model: string,
    outputs: () => readonly OutputTensor[],
    body: string | ArrayBuffer,
  ): void {
    const part = this.parts.get(cookie);
    if (part === undefined) return;
    this.parts.delete(cookie);
    const { group, index } = part;
    group.waiting--;
    group.model = model;
    if (code === 0) this.keep(group, index, outputs);
    else {
      const message = typeof body === "string" ? body : Buffer.from(body).toString();
      this.failed(group, index, { code: nativeErrorCode(code), message });
    }
    this.submit(group);
    if (group.waiting === 0) this.finish(group);
  }

  /** The client is gone or was told 504. */
  cancel(call: Call): void {
    const group = this.groups.get(call);
    if (group !== undefined) this.drop(group);
  }

  /** What a full queue does not take waits for an answer to one of its own; with none to wait for, it fails. */
  private submit(group: Group): void {
    const { nameId, named, timeoutMs } = group.call.route;
    const version = versionOf(group);
    const format = named ? OutputFormat.tensors : unnamed(OutputFormat.tensors);
    for (; group.waiting < maxUnderWay; group.next++) {
      const picture = group.pictures[group.next];
      if (picture === undefined) return;
      const { data, width, height, channels } = picture;
      const cookie = this.cookie();
      const how = this.channel.inferImage(cookie, nameId, version, data, width, height, channels, format, timeoutMs);
      if (how < 0) {
        const code = nativeErrorCode(-how);
        if (code === "queue_full" && group.waiting > 0) return;
        this.failed(group, group.next, this.refusal(group, code));
        return;
      }
      if (how === INLINE) this.flushSoon();
      this.parts.set(cookie, { group, index: group.next });
      group.cookies.push(cookie);
      group.waiting++;
    }
  }

  private refusal({ call, model }: Group, code: ErrorCode): Failure {
    const gone = code === "model_not_found" || code === "version_not_found";
    if (!gone || model === "" || call.route.version !== "") return { code, message: this.channel.lastError() };
    return { code: "not_ready", message: `${model} was replaced while it answered: send the request again.` };
  }

  private keep(group: Group, index: number, outputs: () => readonly OutputTensor[]): void {
    try {
      group.outputs[index] = outputs();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.failed(group, index, { code: error.code, message: error.message });
    }
  }

  private failed(group: Group, index: number, failure: Failure): void {
    if (group.failure !== undefined && (group.failure.index < index || failure.code === "cancelled")) return;
    group.failure = { ...failure, index };
    this.drop(group);
  }

  private drop(group: Group): void {
    group.next = group.pictures.length;
    for (const cookie of group.cookies) if (this.parts.has(cookie)) this.channel.cancel(cookie);
  }

  private finish(group: Group): void {
    this.groups.delete(group.call);
    const { failure, outputs, model, done } = group;
    if (failure === undefined) done(model, outputs.flat());
    else done(model, { code: failure.code, message: `instance ${failure.index}: ${failure.message}` });
  }

  /** Numbers in turn; none that is in use. */
  private cookie(): number {
    do {
      this.next = this.next === lastCookie ? firstCookie : this.next + 1;
    } while (this.parts.has(this.next));
    return this.next;
  }
}

/** Where the request names none: the one that answered first, also when the default changes before the last picture. */
function versionOf({ call, model }: Group): string {
  return call.route.version === "" ? model.slice(model.lastIndexOf("/") + 1) : call.route.version;
}
