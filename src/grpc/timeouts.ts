/**
 * grpc-js waits for a call's deadline with one timer, which takes 2^31 - 1 ms (24.8 days) and is over at once when given
 * more. A client that says longer means "no hurry", so its call gets what a timer can wait. Pure.
 */

/** What the protocol allows: eight digits and a unit. Whatever else stands there is left for grpc-js to refuse. */
const form = /^(\d{1,8})([HMSmun])$/;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const longestMs = 2 ** 31 - 1;
/** The longest that is whole seconds. */
const longest = `${Math.floor(longestMs / 1000)}S`;

/** The value of a `grpc-timeout` header, as long as a timer can wait at most. */
export function waitable(timeout: string): string {
  const [, digits, unit = ""] = form.exec(timeout) ?? [];
  return Number(digits) * (unitMs[unit] ?? 0) > longestMs ? longest : timeout;
}
