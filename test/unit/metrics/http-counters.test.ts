import { expect, test } from "vitest";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";

test("threads write apart and are read together", () => {
  const memory = createHttpState(3);
  const [main, one, two] = [0, 1, 2].map((thread) => new HttpState(memory, thread)) as [
    HttpState,
    HttpState,
    HttpState,
  ];
  one.countAnswer(200);
  two.countAnswer(200);
  two.countAnswer(599);
  one.setInFlight(3);
  two.setInFlight(4);
  two.count("writes_cut");
  expect([main.answers(200), main.answers(0), main.answers(404)]).toEqual([2, 1, 0]);
  expect([main.total("in_flight"), main.total("writes_cut"), main.total("refused_total")]).toEqual([7, 1, 0]);
});

test("health, draining and the number of connections are the same for all", () => {
  const memory = createHttpState(2);
  const main = new HttpState(memory, 0);
  const thread = new HttpState(memory, 1);
  for (const health of ["healthy", "partial", "unready", "empty"] as const) {
    main.health = health;
    expect(thread.health).toBe(health);
  }
  expect(thread.draining).toBe(false);
  main.draining = true;
  expect(thread.draining).toBe(true);
  expect([thread.addConnections(2), main.addConnections(-1), thread.connections]).toEqual([2, 1, 1]);
});
