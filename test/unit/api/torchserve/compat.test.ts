import { expect, test } from "vitest";
import { sendAsTorchServe, torchserveWords } from "../../../../src/api/torchserve/compat.js";
import type { Exchange } from "../../../../src/wire.js";

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

test("a late answer is its worker's death, with the reason behind it", () => {
  const said: unknown[] = [];
  const exchange = {
    refuse: (status: number, _type: string, body: string) => said.push(status, JSON.parse(body)),
  } as unknown as Exchange;
  sendAsTorchServe(exchange, "deadline_exceeded", "No answer within 2 s.", asked);
  const words = { code: 500, type: "InternalServerException", message: "Worker died. No answer within 2 s." };
  expect(said).toEqual([500, words]);
});
