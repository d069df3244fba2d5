import { expect, test } from "vitest";
import { torchserveWords } from "../../../../src/api/torchserve/compat.js";

const asked = { name: "m", version: "" };

test("TorchServe's codes and words for what a model does", () => {
  expect(torchserveWords("model_error", asked)).toMatchObject({ status: 503, message: "Prediction failed" });
  expect(torchserveWords("out_of_memory", asked)).toMatchObject({ status: 507, message: "Out of resources" });
  const full = torchserveWords("queue_full", asked);
  expect(full?.message).toMatch(/^Model "m" has no worker to serve inference request. Please use scale workers API/);
  expect(torchserveWords("not_ready", { name: "m", version: "2.0" })?.message).toMatch(
    /^Model "m" Version 2.0" has no/,
  );
  expect(torchserveWords("bad_request", asked)).toBeUndefined();
});
