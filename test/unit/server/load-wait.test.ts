import { expect, test } from "vitest";
import { LoadWait } from "../../../src/server/load-wait.js";
import type { Asked, Go } from "../../../src/server/loads.js";
import type { Dialect, Exchange } from "../../../src/wire.js";

/** `refuses`: the dialect behind answers at the head, as it does where nothing serves the model. */
function setUp() {
  const state = { busy: true, refuses: false };
  const seen: string[] = [];
  const dropped: number[] = [];
  const waiting: Go[] = [];
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
    loads: {
      get busy() {
        return state.busy;
      },
      wait: ({ name }: Asked, go) => {
        if (name !== "late") return undefined;
        waiting.push(go);
        return () => void waiting.splice(waiting.indexOf(go), 1);
      },
    },
    asked: ({ path }) => (path === "/ping" ? undefined : { name: path.slice(1), version: "" }),
    store: { bodyDrop: (cookie) => dropped.push(cookie) },
  });
  const exchange = (cookie: number, path = "/late") => {
    const made = { cookie, path, unanswered: true, turn: 0, kept: 0 };
    return Object.assign(made, { keep: () => made.kept++, refuse: () => (made.unanswered = false) });
  };
  /** Whether anybody was left, of each. */
  const goOn = (): boolean[] => waiting.splice(0).map((go) => go());
  return { state, seen, dropped, waiting, goOn, wait, exchange, as: (each: object) => each as Exchange };
}

/** Overwritten at once, as the parser does with its own. */
function body(text: string, give: (chunk: ArrayBuffer) => void): void {
  const bytes = new Uint8Array(Buffer.from(text));
  give(bytes.buffer);
  bytes.fill(0);
}

test("only what a load holds up waits, and what it asked for is handed on once that is over", () => {
  const { seen, goOn, wait, exchange, as } = setUp();
  const [late, other, ping] = [exchange(1), exchange(2, "/other"), exchange(3, "/ping")];
  for (const each of [late, other, ping]) {
    wait.head(as(each));
    body("x", (chunk) => wait.body(as(each), chunk));
  }
  expect(seen).toEqual(["head 2", "body 2 x", "head 3", "body 3 x"]);
  expect([late.kept, other.kept]).toEqual([1, 0]);
  expect(goOn()).toEqual([true]);
  expect(seen.slice(4)).toEqual(["head 1", "body 1 x"]);
  wait.expired(as(late));
  wait.aborted(as(late));
  expect(seen.slice(6)).toEqual(["expired 1", "aborted 1"]);
});

test("nobody is asked for while nothing is being loaded", () => {
  const { state, seen, waiting, wait, exchange, as } = setUp();
  state.busy = false;
  wait.head(as(exchange(1)));
  expect([seen, waiting]).toEqual([["head 1"], []]);
});

test("a body that is still on its way goes to the dialect behind as it comes", () => {
  const { seen, goOn, wait, exchange, as } = setUp();
  const late = exchange(1);
  wait.head(as(late));
  goOn();
  wait.body(as(late), undefined);
  expect(seen).toEqual(["head 1", "body 1 gathered"]);
});

test("what the dialect behind refuses at its head gets no body, and a gathered one is dropped", () => {
  const { state, seen, dropped, goOn, wait, exchange, as } = setUp();
  state.refuses = true;
  const [small, large] = [exchange(1), exchange(2)];
  for (const each of [small, large]) wait.head(as(each));
  body("x", (chunk) => wait.body(as(small), chunk));
  wait.body(as(large), undefined);
  expect(goOn()).toEqual([true, true]);
  expect([seen, dropped]).toEqual([["head 1", "head 2"], [2]]);
});

test("a client that goes away leaves", () => {
  const { seen, waiting, wait, exchange, as } = setUp();
  const late = exchange(1);
  wait.head(as(late));
  wait.aborted(as(late));
  expect([seen, waiting]).toEqual([[], []]);
});

test("what was answered meanwhile is not handed on, and leaves when its slot has another request", () => {
  const { seen, waiting, goOn, wait, exchange, as } = setUp();
  const [tooLarge, used] = [exchange(1), exchange(2)];
  for (const each of [tooLarge, used]) wait.head(as(each));
  tooLarge.unanswered = false;
  Object.assign(used, { turn: 1, path: "/other" });
  wait.head(as(used));
  expect(waiting).toHaveLength(1);
  body("y", (chunk) => wait.body(as(used), chunk));
  expect(seen).toEqual(["head 2", "body 2 y"]);
  expect(goOn()).toEqual([false]);
  wait.aborted(as(used));
  expect(seen.slice(2)).toEqual(["aborted 2"]);
});
