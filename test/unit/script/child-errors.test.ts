import { expect, test } from "vitest";
import { ServerError } from "../../../src/errors.js";
import { HandlerError } from "../../../src/handlers/define.js";
import { errorFrom, madeError } from "../../../src/script/child-errors.js";

test("refusals keep their status, the server's errors their code, others their stack", () => {
  const refusal = errorFrom(madeError(new HandlerError(422, "no")));
  expect(refusal).toBeInstanceOf(HandlerError);
  expect(refusal).toMatchObject({ status: 422, message: "no" });
  const coded = errorFrom(madeError(new ServerError("bad_request", "16 expected")));
  expect(coded).toBeInstanceOf(ServerError);
  expect(coded).toMatchObject({ code: "bad_request", message: "16 expected" });
  const plain = new TypeError("broken");
  expect(errorFrom(madeError(plain)).stack).toBe(plain.stack);
  expect(errorFrom(madeError(7)).message).toBe("7");
});
