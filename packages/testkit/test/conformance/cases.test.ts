import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { conformanceCases, faultyBackends, titleOf } from "../../src/index.ts";

const promises = Array.from({ length: 24 }, (_, index) => index + 1);

describe("the list of cases", () => {
  it("has a normal case and a limit or a fault for every promise", () => {
    for (const promise of promises) {
      const kinds = conformanceCases.filter((one) => one.promise === promise).map(({ kind }) => kind);
      assert.ok(kinds.includes("normal") || promise === 18 || promise === 23, `promise ${promise} has no normal case`);
      assert.ok(kinds.includes("limit") || kinds.includes("fault"), `promise ${promise} has neither limit nor fault`);
    }
  });

  it("has a fault in every area, and areas only where there are faults", () => {
    const areas = new Set(conformanceCases.flatMap(({ area }) => area ?? []));
    assert.deepEqual([...areas].sort(), ["close", "lease", "move", "publish", "receive", "settle", "subscribe"]);
    for (const one of conformanceCases) assert.equal(one.area !== undefined, one.kind === "fault", titleOf(one));
  });

  it("has titles that occur once and begin with their promise", () => {
    const titles = conformanceCases.map(titleOf);
    assert.equal(new Set(titles).size, titles.length);
    for (const title of titles) assert.match(title, /^promise \d+: \S/);
  });
});

describe("the list of faulty backends", () => {
  it("breaks every promise", () => {
    assert.deepEqual([...new Set(faultyBackends.map(({ promise }) => promise))], promises);
  });

  it("has names that occur once", () => {
    assert.equal(new Set(faultyBackends.map(({ name }) => name)).size, faultyBackends.length);
  });
});
