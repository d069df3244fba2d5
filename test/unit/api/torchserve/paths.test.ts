import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInferencePath, parsePath } from "../../../../src/api/torchserve/paths.js";
import { isModelName } from "../../../../src/inference/path.js";

const predict = { kind: "predict", name: "m", version: "", rest: "" };

describe("other names of predictions", () => {
  test.each([
    ["/invocations", { kind: "invocations" }],
    ["/invocations/", { kind: "invocations" }],
    ["/invocations/m", { kind: "unknown" }],
    ["/models/m/invoke", { ...predict, queryIsInput: true }],
    ["/models/m/invoked", { kind: "model", name: "m", version: "invoked" }],
    ["/models/m/1/invoke", { kind: "unknown" }],
    ["/v1/models/m:predict", predict],
    ["/v1/models/m%3Apredict", predict],
    ["/v1/models/m:explain", { ...predict, kind: "explain" }],
    ["/v1/models/m:other", { kind: "badName", name: "m:other" }],
    // TorchServe predicts on whatever holds ":predict"; here a verb that is none is no prediction.
    ["/v1/models/m:predictx", { kind: "badName", name: "m:predictx" }],
    ["/v1/models/m:a:predict", { kind: "badName", name: "m:a:predict" }],
    ["/v1/models/m:predict/", predict],
    ["/v1/models/m:predict/x", { kind: "unknown" }],
    ["/v1/models/:predict", { kind: "unknown" }],
    ["/v1/models/m", { kind: "modelReady", name: "m", version: "" }],
    ["/v2/models/m/infer", predict],
    ["/v2/models/m/explain", { ...predict, kind: "explain" }],
    ["/v2/models/m/ready", { kind: "unknown" }],
    ["/m/predict", { ...predict, queryIsInput: true }],
    ["/m/2/predict", { ...predict, version: "2", queryIsInput: true }],
    ["/m/2/3/predict", { kind: "unknown" }],
    ["/a%2Fb/predict", { kind: "badName", name: "a/b" }],
    ["/predict", { kind: "unknown" }],
    ["/wfpredict/w", { kind: "workflows" }],
    ["/workflows/predict", { ...predict, name: "workflows", queryIsInput: true }],
    ["/predictions/predict", { ...predict, name: "predict" }],
    ["/explanations/m/predict", { ...predict, kind: "explain", version: "predict" }],
    ["/models/m/predict", { kind: "model", name: "m", version: "predict" }],
    ["/predictions/m", predict],
    ["/%", { kind: "bad", message: "The path holds a control character or an escape that is not UTF-8." }],
  ])("%s", (path, target) => {
    expect(parseInferencePath(path)).toEqual(target);
  });
});

describe("paths", () => {
  test.each([
    ["/ping", { kind: "ping" }],
    ["/ping/", { kind: "ping" }],
    ["/metrics", { kind: "metrics" }],
    ["/workflows", { kind: "workflows" }],
    ["/workflows/w", { kind: "workflows" }],
    ["/models", { kind: "models" }],
    ["/models/", { kind: "models" }],
    ["/models/m", { kind: "model", name: "m", version: "" }],
    ["/models/m/all", { kind: "model", name: "m", version: "all" }],
    ["/predictions/m", { kind: "predict", name: "m", version: "", rest: "" }],
    ["/predictions/m/1.0/", { kind: "predict", name: "m", version: "1.0", rest: "" }],
    ["/explanations/m", { kind: "explain", name: "m", version: "", rest: "" }],
    ["/explanations/m/1.0", { kind: "explain", name: "m", version: "1.0", rest: "" }],
    ["/predictions/m%2D1", { kind: "predict", name: "m-1", version: "", rest: "" }],
    ["/predictions", { kind: "unknown" }],
    ["/predictions/", { kind: "unknown" }],
    ["/predictions//m", { kind: "unknown" }],
    ["//predictions/m", { kind: "unknown" }],
    ["/predictions/m/1/more/x", { kind: "predict", name: "m", version: "1", rest: "more/x" }],
    ["/predictions/a%2Fb", { kind: "badName", name: "a/b" }],
    ["/predictions/m/a%2Fb", { kind: "badVersion", name: "m", version: "a/b" }],
    ["/models/m/-1", { kind: "badVersion", name: "m", version: "-1" }],
    ["/predictions/%2e%2e", { kind: "badName", name: ".." }],
    ["/predictions/%252e", { kind: "badName", name: "%2e" }],
    ["/predictions/🔥", { kind: "badName", name: "🔥" }],
    ["/", { kind: "root" }],
    ["/api-description", { kind: "apiDescription" }],
    ["/models/m/1/set-default", { kind: "setDefault", name: "m", version: "1" }],
    ["/models/m//set-default", { kind: "unknown" }],
    ["/models/m/1/other", { kind: "unknown" }],
    ["/v1/models/m", { kind: "modelReady", name: "m", version: "" }],
    ["/v1/models/m/x", { kind: "unknown" }],
    ["", { kind: "unknown" }],
  ])("%s", (path, target) => {
    expect(parsePath(path)).toEqual(target);
  });

  test.each(["/predictions/a%00", "/predictions/a%0a", "/predictions/%", "/predictions/%ff", "/a\u0001"])(
    "%j is bad",
    (path) => {
      expect(parsePath(path).kind).toBe("bad");
    },
  );

  test("names are at most 128 characters", () => {
    expect(isModelName("a".repeat(128))).toBe(true);
    for (const name of ["a".repeat(129), "", "-a", ".a", "a b", "a/b", "a..b"]) expect(isModelName(name)).toBe(false);
  });

  test("whatever the path, what is taken for a name obeys the rule", () => {
    const pieces = fc.constantFrom(
      "/",
      "predictions",
      "models",
      "%2e",
      "%2f",
      "..",
      "%00",
      "a",
      "1.0",
      "%",
      "ü",
      "\n",
      " ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((each) => `/predictions/${each.join("")}`),
        ),
        (path) => {
          const target = parsePath(path);
          if (target.kind !== "predict" && target.kind !== "model") return;
          expect(isModelName(target.name)).toBe(true);
          if (target.version !== "") expect(isModelName(target.version)).toBe(true);
        },
      ),
    );
  });

  test("an encoded model name means the model", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/), (name) => {
        const escaped = Array.from(name, (each) => `%${each.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");
        expect(parsePath(`/predictions/${escaped}`)).toEqual({ kind: "predict", name, version: "", rest: "" });
      }),
    );
  });
});
