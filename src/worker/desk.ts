/** Main's side of the threads' doors: takes requests for Python workers, gives back what becomes of them. Main thread. */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type FromDesk, ownBytes, type ToDesk } from "./ask.js";
import { createJob, type Job, type JobSink } from "./job.js";
import type { WorkerPool } from "./pool.js";

export class Desk {
  private readonly find: (model: string) => WorkerPool | undefined;
  private readonly ports = new Set<MessagePort>();

  /** `find`: the pool that serves "name/version". */
  constructor(find: (model: string) => WorkerPool | undefined) {
    this.find = find;
  }

  /** The other side is for one thread. */
  open(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const asked = new Map<number, { readonly job: Job; readonly pool: WorkerPool }>();
    port1.on("message", (message: ToDesk) => {
      if (message.type === "ask") this.ask(port1, asked, message);
      else {
        const found = asked.get(message.id);
        asked.delete(message.id);
        found?.pool.cancel(found.job);
      }
    });
    // A thread that ended waits for nothing.
    port1.on("close", () => {
      this.ports.delete(port1);
      for (const { job, pool } of asked.values()) pool.cancel(job);
    });
    port1.unref();
    this.ports.add(port1);
    return port2;
  }

  close(): void {
    for (const port of this.ports) port.close();
  }

  private ask(
    port: MessagePort,
    asked: Map<number, { readonly job: Job; readonly pool: WorkerPool }>,
    { id, model, request, timeoutMs, named }: Extract<ToDesk, { type: "ask" }>,
  ): void {
    const say = (message: FromDesk, given: ArrayBuffer[] = []): void => port.postMessage(message, given);
    const sink: JobSink = {
      answer: (answer, more) => {
        if (!more) asked.delete(id);
        const body = ownBytes(answer.body);
        say({ type: "answer", id, answer: { ...answer, body }, more }, [body.buffer]);
      },
      fail: (code, message, status) => {
        asked.delete(id);
        say({ type: "fail", id, code, message, ...(status === undefined ? {} : { status }) });
      },
    };
    const pool = this.find(model);
    if (pool === undefined) {
      const [name = "", version = ""] = model.split("/");
      sink.fail("version_not_found", `Model version: ${version} does not exist for model: ${name}`);
      return;
    }
    const job = createJob(request, sink, timeoutMs, named);
    asked.set(id, { job, pool });
    pool.submit(job);
  }
}
