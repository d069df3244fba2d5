import { describe, expect, test } from "vitest";
import { Linger } from "../../../src/http/linger.js";

/** A clock set by hand, and the steps that wait for the next round of the event loop. */
function make(windowMs: number) {
  const it = { now: 1000, steps: [] as (() => void)[] };
  const linger = new Linger(
    windowMs,
    () => it.now,
    (step) => it.steps.push(step),
  );
  const round = (): void => it.steps.splice(0).forEach((step) => step());
  const request = (pauseMs: number): void => {
    it.now += pauseMs;
    linger.arrived();
    it.now += 0.05;
    linger.idle();
  };
  return { it, linger, round, request };
}

describe("Linger", () => {
  test("the first request, and one after a long pause, wait for nothing", () => {
    const { it, request } = make(0.2);
    request(0);
    expect(it.steps).toHaveLength(0);
    request(5);
    expect(it.steps).toHaveLength(0);
  });

  test("after a short pause it stays awake, until the window is over", () => {
    const { it, round, request } = make(0.2);
    request(0);
    request(0.1);
    expect(it.steps).toHaveLength(1);
    it.now += 0.15;
    round();
    expect(it.steps).toHaveLength(1);
    it.now += 0.1;
    round();
    expect(it.steps).toHaveLength(0);
  });

  test("a guess that was wrong is not repeated before the next short pause", () => {
    const { it, round, request } = make(0.2);
    request(0);
    request(0.1);
    it.now += 1;
    round();
    request(3);
    expect(it.steps).toHaveLength(0);
    request(0.1);
    expect(it.steps).toHaveLength(1);
  });

  test("a request ends the waiting; its answer begins it again, with one step in the loop at a time", () => {
    const { it, round, request } = make(0.2);
    request(0);
    for (let i = 0; i < 5; i++) request(0.1);
    expect(it.steps).toHaveLength(1);
    round();
    expect(it.steps).toHaveLength(1);
  });

  test("requests that come together are not waited for", () => {
    const { it, linger, request } = make(0.2);
    request(0);
    it.now += 0.1;
    linger.arrived();
    linger.joined();
    linger.idle();
    expect(it.steps).toHaveLength(0);
  });

  test("a window of 0 turns it off", () => {
    const { it, request } = make(0);
    for (let i = 0; i < 5; i++) request(0);
    expect(it.steps).toHaveLength(0);
  });
});
