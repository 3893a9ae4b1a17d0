import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { type Batch, Confirms, type Failures } from "../src/confirms.ts";

interface Watched {
  readonly batch: Batch;
  outcome: Failures | undefined | "open";
}

function add(confirms: Confirms, count: number, ids?: readonly string[], startMs = 0): Watched {
  const watched: Watched = { batch: confirms.add(count, ids, startMs), outcome: "open" };
  watched.batch.done = (failures) => {
    watched.outcome = failures;
  };
  return watched;
}

describe("confirms", () => {
  it("end batches that one answer covers, in order", () => {
    const confirms = new Confirms();
    const [first, second, third] = [add(confirms, 3), add(confirms, 2), add(confirms, 2)];
    confirms.answer(5, true, false);
    assert.deepEqual([first.outcome, second.outcome, third.outcome], [undefined, undefined, "open"]);
    confirms.answer(7, true, false);
    assert.equal(third.outcome, undefined);
    assert.ok(confirms.isIdle);
  });

  it("count each message once, singly and together, in any order", () => {
    const confirms = new Confirms();
    const one = add(confirms, 5);
    for (const number of [4, 2, 2]) confirms.answer(number, false, false);
    confirms.answer(3, true, false);
    assert.equal(one.outcome, "open");
    confirms.answer(5, false, false);
    assert.equal(one.outcome, undefined);
  });

  it("say which messages were refused", () => {
    const confirms = new Confirms();
    const one = add(confirms, 4);
    confirms.answer(2, false, true);
    confirms.answer(1, false, false);
    confirms.answer(4, true, true);
    assert.deepEqual(
      [...((one.outcome as Failures) ?? [])],
      [
        [1, "nacked"],
        [2, "nacked"],
        [3, "nacked"],
      ],
    );
  });

  it("know what was returned, although it is confirmed afterwards, also where one id is under way twice", () => {
    const confirms = new Confirms();
    const [first, second] = [add(confirms, 2, ["a", "b"]), add(confirms, 1, ["a"])];
    confirms.answer(1, false, false);
    confirms.returned("a");
    confirms.answer(3, true, false);
    assert.equal(first.outcome, undefined);
    assert.deepEqual([...((second.outcome as Failures) ?? [])], [[0, "returned"]]);
  });

  it("give up what is too old, and ignore answers that come later", () => {
    const confirms = new Confirms();
    const [old, young] = [add(confirms, 3, undefined, 100), add(confirms, 1, undefined, 200)];
    confirms.answer(2, false, false);
    confirms.expire(150);
    assert.deepEqual(
      [...((old.outcome as Failures) ?? [])],
      [
        [0, "unknown"],
        [2, "unknown"],
      ],
    );
    confirms.answer(3, false, false);
    assert.equal(young.outcome, "open");
    confirms.answer(4, true, false);
    assert.equal(young.outcome, undefined);
  });

  it("answer every message exactly once in random traffic", () => {
    let seed = 11;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const confirms = new Confirms();
    const batches: Watched[] = [];
    const open = new Set<number>();
    for (let step = 0; step < 5_000; step++) {
      const count = 1 + Math.floor(random() * 9);
      for (let index = 0; index < count; index++) open.add(confirms.nextNumber + index);
      batches.push(add(confirms, count));
      for (let times = random() * 3; times > 0 && open.size > 0; times--) {
        const number = [...open].slice(0, 30)[Math.floor(random() * Math.min(30, open.size))] as number; // at least one is open
        const isMultiple = random() < 0.5;
        confirms.answer(number, isMultiple, false);
        for (const one of [...open]) if (one === number || (isMultiple && one < number)) open.delete(one);
      }
      for (const { batch, outcome } of batches.slice(-40)) {
        const isAnswered = ![...open].some((number) => number >= batch.first && number <= batch.last);
        assert.equal(outcome === undefined, isAnswered);
      }
    }
  });
});
