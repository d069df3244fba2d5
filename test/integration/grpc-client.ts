/** A grpc-js client of TorchServe's services, made from the .proto files that users generate their stubs from. */

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath as healthProto } from "grpc-health-check";
import { fileURLToPath } from "node:url";

const protos = fileURLToPath(new URL("../../proto/", import.meta.url));
const files = ["inference.proto", "management.proto", "google/rpc/error_details.proto", healthProto];
const definitions = loadSync(files, { keepCase: true, includeDirs: [protos] });

interface Packages {
  readonly org: {
    readonly pytorch: {
      readonly serve: {
        readonly grpc: Readonly<Record<string, Readonly<Record<string, grpc.ServiceClientConstructor>>>>;
      };
    };
  };
  readonly grpc: { readonly health: { readonly v1: { readonly Health: grpc.ServiceClientConstructor } } };
}

const packages = grpc.loadPackageDefinition(definitions) as unknown as Packages;
const torchserve = packages.org.pytorch.serve.grpc;

type Stream = grpc.ClientDuplexStream<object, Answer>;

export interface Answer {
  readonly prediction: Buffer;
  readonly sequence_id?: string;
  readonly status?: {
    readonly code: number;
    readonly message: string;
    readonly details: readonly { readonly value: Buffer }[];
  };
}

export interface Outcome {
  /** Undefined when the call failed. */
  readonly answer: Answer | undefined;
  readonly text: string;
  readonly code: number;
  readonly details: string;
  readonly headers: grpc.Metadata | undefined;
  readonly trailers: grpc.Metadata | undefined;
}

/** A request for `name` or `name/version`. */
export function request(model: string, data: string | Uint8Array, more: object = {}): object {
  const [name = "", version = ""] = model.split("/");
  return { model_name: name, model_version: version, input: { data: Buffer.from(data) }, ...more };
}

type Unary = (request: object, metadata: grpc.Metadata, options: grpc.CallOptions, done: Done) => grpc.ClientUnaryCall;
type Done = (error: grpc.ServiceError | null, answer?: object) => void;

/** Of a call that sends its headers at once and its message only after `until`. */
export function messageAfter(until: Promise<unknown>): grpc.Interceptor {
  return (options, nextCall) =>
    new grpc.InterceptingCall(nextCall(options), {
      sendMessage: (message, next) => void until.then(() => next(message)),
    });
}

export class RpcClient {
  readonly inference: grpc.Client & Record<string, unknown>;
  readonly management: grpc.Client & Record<string, unknown>;
  readonly health: grpc.Client & Record<string, unknown>;

  /** `ca`: TLS, with the authorities that it trusts. */
  constructor(port: number, options: grpc.ClientOptions = {}, ca?: Buffer) {
    const credentials = ca === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(ca);
    const open = (service: grpc.ServiceClientConstructor | undefined): grpc.Client & Record<string, unknown> => {
      if (service === undefined) throw new Error("the .proto files lack a service");
      // A channel of its own: grpc-js shares connections between clients of one address otherwise.
      const own = { "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": -1, ...options };
      return new service(`127.0.0.1:${port}`, credentials, own);
    };
    this.inference = open(torchserve["inference"]?.["InferenceAPIsService"]);
    this.management = open(torchserve["management"]?.["ManagementAPIsService"]);
    this.health = open(packages.grpc.health.v1.Health);
  }

  newMetadata(entries: Readonly<Record<string, string>>): grpc.Metadata {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
    return metadata;
  }

  close(): void {
    for (const each of [this.inference, this.management, this.health]) each.close();
  }

  /** A unary call; `onCall` sees it at once, for cancelling. */
  call(
    client: "inference" | "management" | "health",
    method: string,
    message: object,
    options: {
      readonly metadata?: grpc.Metadata;
      readonly deadlineMs?: number;
      readonly interceptors?: grpc.Interceptor[];
      readonly onCall?: (call: grpc.ClientUnaryCall) => void;
    } = {},
  ): Promise<Outcome & { readonly message: Readonly<Record<string, unknown>> }> {
    const made = this[client][method] as Unary;
    const deadline = options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
    const interceptors = options.interceptors === undefined ? {} : { interceptors: options.interceptors };
    return new Promise((resolve) => {
      let headers: grpc.Metadata | undefined;
      const call = made.call(
        this[client],
        message,
        options.metadata ?? new grpc.Metadata(),
        { ...deadline, ...interceptors },
        (error, answer) => {
          const prediction = (answer as Answer | undefined)?.prediction;
          resolve({
            answer: answer as Answer | undefined,
            message: (answer ?? {}) as Readonly<Record<string, unknown>>,
            text: prediction?.toString() ?? "",
            code: error?.code ?? 0,
            details: error?.details ?? "",
            headers,
            trailers: error?.metadata,
          });
        },
      );
      call.on("metadata", (got) => (headers = got));
      options.onCall?.(call);
    });
  }

  predict(model: string, data: string | Uint8Array, options: Parameters<RpcClient["call"]>[3] = {}): Promise<Outcome> {
    return this.call("inference", "Predictions", request(model, data), options);
  }

  /** StreamPredictions2. */
  stream(options: grpc.CallOptions = {}, metadata = new grpc.Metadata()): Stream {
    type Open = (metadata: grpc.Metadata, options: grpc.CallOptions) => Stream;
    return (this.inference["StreamPredictions2"] as Open).call(this.inference, metadata, options);
  }

  /** StreamPredictions. */
  pieces(message: object): grpc.ClientReadableStream<Answer> {
    return (this.inference["StreamPredictions"] as (message: object) => grpc.ClientReadableStream<Answer>).call(
      this.inference,
      message,
    );
  }
}

/** Everything a stream gives until its end, and how it ended. */
export function collect(
  stream: grpc.ClientReadableStream<Answer>,
): Promise<{ answers: Answer[]; code: number; details: string }> {
  return new Promise((resolve) => {
    const answers: Answer[] = [];
    stream.on("data", (answer: Answer) => answers.push(answer));
    stream.on("error", () => undefined);
    stream.on("status", ({ code, details }) => resolve({ answers, code, details }));
  });
}
