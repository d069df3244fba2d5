import { expect, test } from "vitest";
import type { Packed, Refused } from "../../../src/handlers/handler.js";
import { InputReply } from "../../../src/script/input-reply.js";

function asked(tell: (reply: InputReply) => void): Promise<Packed | Refused> {
  return new Promise((resolve, reject) => tell(new InputReply(resolve, reject)));
}

test("the model's input, or the handler's refusal, is what was asked for", async () => {
  const packed = new Uint8Array([1]);
  await expect(asked((reply) => reply.input(packed))).resolves.toEqual({ packed });
  await expect(asked((reply) => reply.input("body"))).resolves.toEqual({ packed: "body" });
  const refused = { status: 409, body: "no" };
  await expect(asked((reply) => reply.answer(refused))).resolves.toEqual({ refused });
});

test("all else ends it with a reason", async () => {
  await expect(asked((reply) => reply.fail("worker_died", "gone"))).rejects.toMatchObject({ code: "worker_died" });
  await expect(asked((reply) => reply.gone())).rejects.toMatchObject({ code: "cancelled" });
  await expect(asked((reply) => reply.part())).rejects.toMatchObject({ code: "internal" });
});
