import { expect, test } from "vitest";
import {
  given,
  type ManageOutcome,
  type ManageRequest,
  managementService,
} from "../../../../src/api/grpc/management.js";
import type { RpcCall } from "../../../../src/rpc.js";

interface Said {
  readonly msg?: string;
  readonly status?: string;
  readonly words?: string;
}

/** What main is asked for a request, and what the client is told. */
async function ask(method: string, request: object, outcome: ManageOutcome = { text: "done" }) {
  const asked: ManageRequest[] = [];
  const service = managementService((each) => {
    asked.push(each);
    return Promise.resolve(outcome);
  });
  const how = service.methods[method];
  if (how?.takes !== "one") throw new Error(method);
  const said: Said = await new Promise((resolve) => {
    let answer: Said = {};
    const call = {
      send: (message: object) => (answer = message),
      end: () => resolve(answer),
      fail: (status: string, words: string) => resolve({ status, words }),
    } as unknown as RpcCall;
    how.start(request, call);
  });
  return { asked: asked[0], said };
}

test("what is not positive or empty is left to the default, except a list's numbers", async () => {
  expect(given({ batch_size: 0, handler: "", initial_workers: -1, synchronous: false, url: "a.mar" })).toEqual({
    synchronous: false,
    url: "a.mar",
  });
  const scale = { model_name: "m", model_version: "2", min_worker: 3, max_worker: 0, synchronous: true };
  expect(await ask("ScaleWorker", scale)).toEqual({
    asked: { operation: "scale", name: "m", version: "2", parameters: { min_worker: "3", synchronous: "true" } },
    said: { msg: "done" },
  });
  const listed = await ask("ListModels", { limit: 0, next_page_token: 2 });
  expect(listed.asked?.parameters).toEqual({ limit: "0", next_page_token: "2" });
});

test("refusals are the error table's; a switched-off registration is PERMISSION_DENIED with the option", async () => {
  const gated = await ask("RegisterModel", { url: "a.mar" }, { code: "method_not_allowed", message: "" });
  expect(gated.said).toMatchObject({ status: "PERMISSION_DENIED" });
  expect(gated.said.words).toContain("--enable-model-api");
  const unknown = await ask("DescribeModel", { model_name: "m" }, { code: "model_not_found", message: "no" });
  expect(unknown.said).toEqual({ status: "NOT_FOUND", words: "no" });
  const nameless = await ask("SetDefault", { model_name: "" });
  expect(nameless).toMatchObject({ asked: undefined, said: { status: "INVALID_ARGUMENT" } });
});
