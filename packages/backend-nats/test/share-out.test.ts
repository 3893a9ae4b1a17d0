import { describe, expect, it } from "vitest";
import { shareOut } from "../src/share-out.ts";

const share = (outstanding: number, demand: number, isInbox = false): { outstanding: number; demand: number; isInbox: boolean } => ({
  outstanding,
  demand,
  isInbox,
});

describe("sharing the credit", () => {
  it("gives each source one before any gets more", () => {
    expect(shareOut([share(0, 100, true), share(0, 100), share(0, 100)], 3, 3)).toEqual([1, 1, 1]);
    expect(shareOut([share(0, 100, true), share(0, 100)], 10, 1)).toEqual([1, 0]);
  });

  it("gives the rest to where messages come, half of it to the inbox at most", () => {
    expect(shareOut([share(0, 1, true), share(0, 100)], 10, 10)).toEqual([1, 9]);
    expect(shareOut([share(0, 100, true), share(0, 100)], 10, 10)).toEqual([5, 5]);
    expect(shareOut([share(0, 100, true), share(0, 1)], 10, 10)).toEqual([5, 1]);
  });

  it("leaves alone what is more than half full", () => {
    expect(shareOut([share(1, 1, true), share(60, 100)], 200, 100)).toEqual([0, 0]);
    expect(shareOut([share(1, 1, true), share(40, 100)], 200, 100)).toEqual([0, 60]);
  });

  it("never gives more than is free", () => {
    for (let free = 0; free < 20; free++) {
      const asks = shareOut([share(0, 8, true), share(3, 64), share(0, 64)], 32, free);
      expect(asks.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(free);
    }
  });
});
