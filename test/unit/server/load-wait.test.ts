import { expect, test } from "vitest";
import { type Asked, LoadWait, maxWaiting } from "../../../src/server/load-wait.js";
import type { Dialect, Exchange } from "../../../src/wire.js";

/** `refuses`: the dialect behind answers at the head, as it does where nothing serves the model. */
function setUp() {
  const state = { loading: true, served: false, refuses: false };
  const seen: string[] = [];
  const dropped: number[] = [];
  const waited: string[] = [];
  const inner: Dialect = {
    head: (exchange) => {
      seen.push(`head ${exchange.cookie}`);
      if (state.refuses) exchange.refuse(503, "", "");
    },
    body: (exchange, chunk) =>
      void seen.push(`body ${exchange.cookie} ${chunk ? Buffer.from(chunk).toString() : "gathered"}`),
    aborted: ({ cookie }) => void seen.push(`aborted ${cookie}`),
    expired: ({ cookie }) => void seen.push(`expired ${cookie}`),
    error: () => ({ status: 400, body: "inner" }),
  };
  const wait = new LoadWait(inner, {
    loadWaitMs: 500,
    asked: (path) => (path === "/ping" ? undefined : { name: path.slice(1), version: "" }),
    busy: () => state.loading,
    loading: ({ name }: Asked) => state.loading && name === "late",
    served: () => state.served,
    waited: ({ name }) => waited.push(name),
    store: { bodyDrop: (cookie) => dropped.push(cookie) },
  });
  const exchange = (cookie: number, path = "/late") => {
    const made = { cookie, path, unanswered: true, turn: 0, kept: 0, times: [] as number[] };
    return Object.assign(made, {
      keep: () => made.kept++,
      expireAfter: (ms: number) => made.times.push(ms),
      refuse: () => (made.unanswered = false),
    });
  };
  return { state, seen, dropped, waited, wait, exchange, as: (each: object) => each as Exchange };
}

/** Overwritten at once, as the parser does with its own. */
function body(text: string, give: (chunk: ArrayBuffer) => void): void {
  const bytes = new Uint8Array(Buffer.from(text));
  give(bytes.buffer);
  bytes.fill(0);
}

test("only what a load holds up waits, and what it asked for is handed on once that is over", () => {
  const { state, seen, waited, wait, exchange, as } = setUp();
  const [late, other, ping] = [exchange(1), exchange(2, "/other"), exchange(3, "/ping")];
  for (const each of [late, other, ping]) {
    wait.head(as(each));
    body("x", (chunk) => wait.body(as(each), chunk));
  }
  expect(seen).toEqual(["head 2", "body 2 x", "head 3", "body 3 x"]);
  expect([late.kept, late.times]).toEqual([1, [500]]);
  wait.look();
  expect(seen).toHaveLength(4);
  Object.assign(state, { loading: false, served: true });
  wait.look();
  expect(seen.slice(4)).toEqual(["head 1", "body 1 x"]);
  expect([late.times, waited]).toEqual([[500, Infinity], ["late"]]);
  wait.aborted(as(late));
  expect(seen.at(-1)).toBe("aborted 1");
});

test("a body that is still on its way goes to the dialect behind as it comes", () => {
  const { state, seen, wait, exchange, as } = setUp();
  const late = exchange(1);
  wait.head(as(late));
  state.loading = false;
  wait.look();
  wait.body(as(late), undefined);
  expect(seen).toEqual(["head 1", "body 1 gathered"]);
  expect(late.times).toEqual([]);
});

test("a load that fails, and time that is over, leave the answer to the dialect behind; a gathered body is dropped", () => {
  const { state, seen, dropped, waited, wait, exchange, as } = setUp();
  const [failed, late] = [exchange(1), exchange(2)];
  state.refuses = true;
  wait.head(as(late));
  wait.body(as(late), undefined);
  wait.expired(as(late));
  wait.head(as(failed));
  body("x", (chunk) => wait.body(as(failed), chunk));
  state.loading = false;
  wait.look();
  expect([seen, dropped, waited]).toEqual([["head 2", "head 1"], [2], []]);
  wait.expired(as(late));
  expect(seen.at(-1)).toBe("expired 2");
});

test("a client that goes away is forgotten", () => {
  const { state, seen, wait, exchange, as } = setUp();
  const late = exchange(1);
  wait.head(as(late));
  wait.aborted(as(late));
  state.loading = false;
  wait.look();
  expect(seen).toEqual([]);
});

test("what was answered meanwhile is not handed on, nor is the next request of its slot", () => {
  const { state, seen, waited, wait, exchange, as } = setUp();
  const [tooLarge, used] = [exchange(1), exchange(2)];
  for (const each of [tooLarge, used]) wait.head(as(each));
  tooLarge.unanswered = false;
  Object.assign(used, { turn: 1, path: "/other" });
  wait.head(as(used));
  body("y", (chunk) => wait.body(as(used), chunk));
  expect(seen).toEqual(["head 2", "body 2 y"]);
  Object.assign(state, { loading: false, served: true });
  wait.look();
  expect([seen.length, waited]).toEqual([2, []]);
  wait.aborted(as(used));
  expect(seen.at(-1)).toBe("aborted 2");
});

test("more than a thousand are answered at once", () => {
  const { seen, wait, exchange, as } = setUp();
  for (let cookie = 0; cookie <= maxWaiting; cookie++) wait.head(as(exchange(cookie)));
  expect(seen).toEqual([`head ${maxWaiting}`]);
});
