/** A request as a worker gets it, and an answer as its handler meant it. Pure. */
import type { AnswerHead, HandlerRequest, Part } from "../handlers/handler.js";
import type { Parameter, WorkerAnswer, WorkerRequest } from "./frames.js";

/** Tells a handler which of its methods is asked for. */
const explainHeader = "explain";

/**
 * Every field of a form is an input; else the body is one called `body`, or as a gRPC client called it. Handlers look
 * headers up by the spelling that clients use, which HTTP servers are free to change, so they get `x-custom` and
 * `X-Custom`.
 */
export function toWorker(request: HandlerRequest, id: string): WorkerRequest {
  const { parts, body, bodyName = "body", contentType, headers, urlPath, explains } = request;
  const form = /^\s*multipart\//i.test(contentType);
  const parameters: readonly Parameter[] =
    parts === undefined
      ? [{ name: bodyName, contentType: typeOfBody(contentType, body), value: body }]
      : parts.map((part) => ({ name: part.name, contentType: typeOfPart(part, form), value: part.bytes }));
  const sent = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    const title = name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
    return title === name
      ? [[name, value]]
      : [
          [name, value],
          [title, value],
        ];
  });
  return { id, headers: [...sent, [explainHeader, explains ? "True" : "False"], ["url_path", urlPath]], parameters };
}

/** Without its parameters, as TorchServe hands it on. */
function bareType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

/** Of a form TorchServe hands on the type of files alone: other fields are bytes to a handler, whatever type they say. */
function typeOfPart({ fileName, contentType }: Part, form: boolean): string {
  return form && fileName === "" ? "" : bareType(contentType);
}

/** curl says of any text that it is a form; JSON is told by how it begins. */
function typeOfBody(contentType: string, body: Uint8Array): string {
  const bare = bareType(contentType);
  if (bare !== "application/x-www-form-urlencoded") return bare;
  return isJsonStart(body[0]) ? "application/json" : "";
}

function isJsonStart(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** Status, type and headers of an answer; a type that the handler did not set is told by the body. */
export function headOf({ status, contentType, headers, body }: WorkerAnswer): AnswerHead {
  return {
    status,
    contentType: contentType === "" ? guessType(body) : contentType,
    headers: headers.filter(([name]) => name.toLowerCase() !== "content-type"),
  };
}

/** JSON, as dicts and lists become; other text; or bytes. */
export function guessType(body: Uint8Array): string {
  if (isJsonStart(body[0])) return "application/json";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(body);
    return "text/plain; charset=utf-8";
  } catch {
    return "application/octet-stream";
  }
}

/** TorchServe's body of an error whose status the handler chose. */
export function errorBody(status: number, message: string): string {
  return `${JSON.stringify({ code: status, type: "InternalServerException", message }, null, 2)}\n`;
}
