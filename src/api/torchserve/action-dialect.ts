/** A dialect of main whose answers are made once the body is there, perhaps later. Thread: main. */
import { ServerError } from "../../errors.js";
import type { Exchange, WireHeaders } from "../../wire.js";
import { json, notAllowed, prettyJson, sendError } from "./errors.js";
import type { ManagementAnswer } from "./management.js";
import { MainDialect } from "./routes.js";

/** What is done once the body is there. */
export type Action = (body: Uint8Array) => ManagementAnswer | Promise<ManagementAnswer>;

export interface ActionContext {
  /** The gathered body of an exchange, which is forgotten then. */
  readonly takeBody: (cookie: number) => Uint8Array;
  /** Faults of the server itself, for the log. */
  readonly report: (error: unknown) => void;
}

export abstract class ActionDialect extends MainDialect {
  private readonly actions: ActionContext;

  constructor(actions: ActionContext) {
    super();
    this.actions = actions;
  }

  override body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    const action = exchange.attachment as Action | undefined;
    if (action === undefined) return;
    exchange.attachment = undefined;
    const coded = exchange.contentEncoding;
    if (coded !== "" && coded !== "identity") {
      const words = `This port reads bodies as they are; Content-Encoding is ${JSON.stringify(coded.slice(0, 64))}.`;
      sendError(exchange, "unsupported_media_type", words);
      return;
    }
    const bytes = chunk === undefined ? this.actions.takeBody(exchange.cookie) : new Uint8Array(chunk.slice(0));
    void this.run(exchange, action, bytes);
  }

  protected later(exchange: Exchange, action: Action): void {
    exchange.attachment = action;
  }

  protected refuseVerb(exchange: Exchange, verbs: string): void {
    sendError(exchange, "method_not_allowed", notAllowed, [["allow", verbs]]);
  }

  /** `headers`: of the error, where it has any. */
  protected failed(exchange: Exchange, error: unknown, headers?: WireHeaders): void {
    if (error instanceof ServerError) {
      sendError(exchange, error.code, error.message, headers);
      return;
    }
    this.actions.report(error);
    sendError(exchange, "internal", "The server failed to do this; its log has the reason.");
  }

  private async run(exchange: Exchange, action: Action, bytes: Uint8Array): Promise<void> {
    exchange.hold();
    try {
      const { status, body } = await action(bytes);
      exchange.answer(status, json, prettyJson(body));
    } catch (error) {
      this.failed(exchange, error);
    } finally {
      exchange.release();
    }
  }
}
