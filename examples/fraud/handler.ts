/** A payment in, the probability that it is fraud and what to do about it out. */
import { defineHandler, HandlerError, type Tensor, tensor } from "sconce";

const merchants = ["grocery", "travel", "electronics", "gambling", "other"];

interface Limits {
  readonly review: number;
  readonly block: number;
}

function number(payment: Readonly<Record<string, unknown>>, field: string, min: number, max: number): number {
  const value = payment[field];
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw new HandlerError(400, `${field} must be a number from ${min} to ${max}, got ${JSON.stringify(value)}`);
}

/** The same ten numbers as train.py makes. */
function features(payment: Readonly<Record<string, unknown>>): Tensor {
  const angle = (number(payment, "hour", 0, 23) / 24) * 2 * Math.PI;
  const merchant = String(payment["merchant"]);
  if (!merchants.includes(merchant)) {
    throw new HandlerError(400, `merchant must be one of ${merchants.join(", ")}, got ${JSON.stringify(merchant)}`);
  }
  const row = [
    Math.log1p(number(payment, "amount", 0, 1e9)),
    Math.sin(angle),
    Math.cos(angle),
    Math.log1p(number(payment, "accountAgeDays", 0, 1e6)),
    payment["abroad"] === true ? 1 : 0,
    ...merchants.map((name) => (name === merchant ? 1 : 0)),
  ];
  return tensor(Float32Array.from(row), [row.length]);
}

export default defineHandler({
  preprocess(request) {
    const payment = request.json();
    if (typeof payment !== "object" || payment === null) throw new HandlerError(400, "a payment is a JSON object");
    return features(payment as Readonly<Record<string, unknown>>);
  },

  postprocess([logit], _request, { config, metrics }) {
    const { review, block } = config as Limits;
    const score = 1 / (1 + Math.exp(-Number(logit?.data[0])));
    const decision = score >= block ? "block" : score >= review ? "review" : "allow";
    metrics.count(`decided_${decision}`);
    return { score, decision };
  },
});
