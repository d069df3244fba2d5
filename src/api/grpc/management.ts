/**
 * TorchServe's ManagementAPIsService (proto/management.proto): each call becomes what the REST API's request of the same
 * kind would say, `manage` does it on main, and `msg` is REST's text. Thread: the gRPC thread.
 */

import type { ErrorCode } from "../../errors.js";
import type { RpcCall, RpcService } from "../../rpc.js";
import { failCall } from "./failure.js";

export interface ManageRequest {
  readonly operation: "list" | "describe" | "register" | "scale" | "setDefault" | "unregister";
  readonly name: string;
  /** "": the default version. */
  readonly version: string;
  /** Query parameters by REST's names. */
  readonly parameters: Readonly<Record<string, string>>;
}

export type ManageOutcome = { readonly text: string } | { readonly code: ErrorCode; readonly message: string };

export type Manage = (request: ManageRequest) => Promise<ManageOutcome>;

/** A request message as proto-loader reads it. */
type Fields = Readonly<Record<string, string | number | boolean>>;

export function managementService(manage: Manage): RpcService {
  const method = (operation: ManageRequest["operation"], named: boolean, read: (fields: Fields) => Fields) =>
    ({
      takes: "one",
      reads: operation === "list" || operation === "describe",
      answers: "one",
      start: (request: object, call: RpcCall): void => {
        const fields = request as Fields;
        const name = String(fields["model_name"] ?? "");
        if (named && name === "") {
          failCall(call, "bad_request", "Parameter model_name is required.");
          return;
        }
        const version = String(fields["model_version"] ?? "");
        const parameters = textOf(read(fields));
        void answer(call, manage({ operation, name, version, parameters }));
      },
    }) as const;
  return {
    name: "org.pytorch.serve.grpc.management.ManagementAPIsService",
    methods: {
      ListModels: method("list", false, (fields) => fields),
      DescribeModel: method("describe", true, ({ customized = false }) => ({ customized })),
      RegisterModel: method("register", false, given),
      ScaleWorker: method("scale", true, ({ model_name: _name, model_version: _version, ...rest }) => given(rest)),
      SetDefault: method("setDefault", true, ({ force = false }) => ({ force })),
      UnregisterModel: method("unregister", true, () => ({})),
    },
  };
}

/** Numbers that are not positive and empty texts mean the default: they are left out, as a REST client leaves them out. */
export function given(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => (typeof value === "number" ? value > 0 : value !== "")),
  );
}

function textOf(fields: Fields): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

async function answer(call: RpcCall, outcome: Promise<ManageOutcome>): Promise<void> {
  const done = await outcome;
  if ("text" in done) {
    call.send({ msg: done.text });
    call.end();
  } else if (done.code === "method_not_allowed") {
    // The only verb that is ever refused here is one that is switched off.
    const words = "Model API disabled: RegisterModel and UnregisterModel need --enable-model-api.";
    call.fail("PERMISSION_DENIED", words, [["x-sconce-error", done.code]]);
  } else {
    failCall(call, done.code, done.message);
  }
}
