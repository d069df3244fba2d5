import { describe, expect, test } from "vitest";
import { Vigil } from "../../../src/script/vigil.js";

/** A clock set by hand, and the steps that wait for the next round of the event loop. */
function make(limitMs: number) {
  const it = { now: 1000, steps: [] as (() => void)[] };
  const vigil = new Vigil(
    limitMs,
    () => it.now,
    (step) => it.steps.push(step),
  );
  const round = (): void => it.steps.splice(0).forEach((step) => step());
  const request = (answerMs: number): void => {
    vigil.began(1);
    it.now += answerMs;
    round();
    vigil.ended();
    round();
  };
  return { it, vigil, round, request };
}

describe("Vigil", () => {
  test("the first request is not waited for, the one after a quick answer is, until it is answered", () => {
    const { it, vigil, round, request } = make(0.4);
    vigil.began(1);
    expect(it.steps).toHaveLength(0);
    vigil.ended();
    request(0.1);
    vigil.began(1);
    expect(it.steps).toHaveLength(1);
    it.now += 0.3;
    round();
    expect(it.steps).toHaveLength(1);
    vigil.ended();
    round();
    expect(it.steps).toHaveLength(0);
  });

  test("it waits for its limit at most, and after such an answer no more until a quick one", () => {
    const { it, vigil, round, request } = make(0.4);
    request(0.1);
    vigil.began(1);
    it.now += 0.5;
    round();
    expect(it.steps).toHaveLength(0);
    vigil.ended();
    vigil.began(1);
    expect(it.steps).toHaveLength(0);
    it.now += 0.1;
    vigil.ended();
    vigil.began(1);
    expect(it.steps).toHaveLength(1);
  });

  test("a second request ends it", () => {
    const { it, vigil, round, request } = make(0.4);
    request(0.1);
    vigil.began(1);
    vigil.began(2);
    round();
    expect(it.steps).toHaveLength(0);
  });

  test("one step at a time, however many requests follow in a turn", () => {
    const { it, vigil, request } = make(0.4);
    request(0.1);
    for (let i = 0; i < 5; i++) {
      vigil.began(1);
      vigil.ended();
    }
    expect(it.steps).toHaveLength(1);
  });

  test("a limit of 0 turns it off", () => {
    const { it, request, vigil } = make(0);
    request(0);
    vigil.began(1);
    expect(it.steps).toHaveLength(0);
  });
});
