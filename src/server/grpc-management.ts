/** What the gRPC management service asks for, done on main by the same operations as REST's. */

import type { Manage, ManageOutcome, ManageRequest } from "../api/grpc/management.js";
import { prettyJson } from "../api/torchserve/errors.js";
import { Management, type ManagementAnswer, type ManagementContext } from "../api/torchserve/management.js";
import { ServerError } from "../errors.js";

/** `report` gets faults of the server itself, for the log. Never rejects. */
export function manageOnMain(context: ManagementContext, report: (error: unknown) => void): Manage {
  const management = new Management(context);
  return async (request): Promise<ManageOutcome> => {
    try {
      return { text: textOf((await run(management, request, context.compat)).body) };
    } catch (error) {
      if (error instanceof ServerError) return { code: error.code, message: error.message };
      report(error);
      return { code: "internal", message: "The server failed to do this; its log has the reason." };
    }
  };
}

function run(
  management: Management,
  { operation, name, version, parameters }: ManageRequest,
  compat: ManagementContext["compat"],
): ManagementAnswer | Promise<ManagementAnswer> {
  const query = new URLSearchParams(parameters);
  switch (operation) {
    case "list":
      // An unset number is 0 on the wire, which TorchServe takes at its word: an empty page.
      if (query.get("limit") === "0" && compat === "sconce") query.delete("limit");
      return management.list(query.toString());
    case "describe":
      return management.describe(name, version, query.toString());
    case "register":
      return management.register(new Map(query));
    case "scale":
      return management.scale(name, version, new Map(query));
    case "setDefault":
      return management.setDefault(name, version, new Map(query));
    case "unregister":
      return management.unregister(name, version);
  }
}

/** TorchServe's `msg` is the status' words alone, or the JSON of a list or description. */
function textOf(body: unknown): string {
  const { status, differences } = body as { readonly status?: unknown; readonly differences?: readonly string[] };
  const more = differences === undefined ? "" : ` (${differences.join("; ")})`;
  return typeof status === "string" ? `${status}${more}` : prettyJson(body);
}
