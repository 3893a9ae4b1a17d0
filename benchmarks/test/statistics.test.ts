import { expect, test } from "vitest";
import { median, percentile, roundOrder, spread } from "../src/statistics.ts";

test("the median is the middle sample, or lies between the two middle ones", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([1, 10, 2, 4])).toBe(3);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("spread is the lowest and the highest sample", () => {
  expect(spread([3, 1, 2])).toEqual({ lowest: 1, highest: 3 });
});

test("a percentile is a sample that so many percent do not exceed", () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([50, 95, 99, 100].map((percent) => percentile(samples, percent))).toEqual([50, 95, 99, 100]);
  expect(percentile([1, 2, 3], 50)).toBe(2);
  expect(percentile([1, 2, 3], 0)).toBe(1);
  expect(percentile([], 50)).toBeNaN();
});

test("samples are left in the order they came", () => {
  const samples = [3, 1, 2];
  median(samples);
  percentile(samples, 50);
  expect(samples).toEqual([3, 1, 2]);
});

test("every second round runs backwards", () => {
  const order = [0, 1, 2, 3].map((round) => roundOrder(["a", "b", "c"], round).join(""));
  expect(order).toEqual(["abc", "cba", "abc", "cba"]);
});
