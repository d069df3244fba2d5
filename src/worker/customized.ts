/** TorchServe's customized metadata: what a handler says of its model when it is asked with the header `describe`. Main thread. */
import { randomUUID } from "node:crypto";
import { ServerError } from "../errors.js";
import { createJob } from "./job.js";
import type { WorkerPool } from "./pool.js";

type Metadata = Readonly<Record<string, unknown>>;

/**
 * Resolves to the handler's object; to an empty one when it says nothing, or something that is no object. Rejects with
 * ServerError not_ready when no worker takes it, model_error when the handler fails, as TorchServe words both.
 */
export function askForMetadata(pool: WorkerPool, model: string, timeoutMs: number): Promise<Metadata> {
  return new Promise((resolve, reject) => {
    const request = { id: randomUUID(), headers: [["describe", "True"]] as const, parameters: [] };
    const job = createJob(
      request,
      {
        answer: ({ body }, more) => {
          if (!more) resolve(objectOf(body));
        },
        fail: (code, message) => {
          const none = code === "not_ready" || code === "queue_full";
          const words = `Model "${model}" has no worker to serve describe request. Please use scale workers API to add workers.`;
          const cause = new Error(message);
          // The spelling is TorchServe's.
          const failed = new ServerError("model_error", "Failed to get customized model matadata.", { cause });
          reject(none ? new ServerError("not_ready", words, { cause }) : failed);
        },
      },
      timeoutMs,
    );
    // TorchServe dispatches it alone: a batch's handler looks at the first request's header.
    job.alone = true;
    pool.submit(job);
  });
}

function objectOf(body: Uint8Array): Metadata {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Metadata) : {};
  } catch {
    return {};
  }
}
