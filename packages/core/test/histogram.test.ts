import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "../src/histogram.ts";

test("an empty histogram is all zeros", () => {
  const { count, maxMs, meanMs } = new Histogram();
  expect([count, maxMs, meanMs, new Histogram().percentile(99)]).toEqual([0, 0, 0, 0]);
});

test("count, mean and maximum are exact", () => {
  const histogram = new Histogram();
  for (const ms of [1, 2, 3, 94]) histogram.record(ms);
  expect([histogram.count, histogram.meanMs, histogram.maxMs]).toEqual([4, 25, 94]);
});

test("percentiles are at most 5 % (or a microsecond) off the exact ones, from microseconds to years", () => {
  const duration = fc.double({ min: -3, max: 10.5, noNaN: true }).map((exponent) => 10 ** exponent);
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), fc.integer({ min: 0, max: 100 }), (durations, percent) => {
      const histogram = new Histogram();
      for (const ms of durations) histogram.record(ms);
      const sorted = durations.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1] as number;
      expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact * 0.05 + 0.001);
    }),
    { numRuns: 10_000 },
  );
});

test("buckets meet without a gap: a longer duration is never reported as a shorter one", () => {
  let last = 0;
  for (let ms = 0.001; ms < 2 ** 45 / 1_000; ms *= 1.003) {
    const histogram = new Histogram();
    histogram.record(ms);
    histogram.record(Number.MAX_VALUE);
    const reported = histogram.percentile(50);
    expect(reported).toBeGreaterThanOrEqual(last);
    last = reported;
  }
});

test("durations that are no durations count as zero, endless ones as the longest", () => {
  const histogram = new Histogram();
  for (const ms of [-1, Number.NaN, 0]) histogram.record(ms);
  expect([histogram.count, histogram.maxMs, histogram.percentile(100)]).toEqual([3, 0, 0]);
  histogram.record(1e300);
  expect(histogram.percentile(100)).toBeGreaterThan(6e10);
});

test("reset forgets everything", () => {
  const histogram = new Histogram();
  histogram.record(5);
  histogram.reset();
  expect([histogram.count, histogram.maxMs, histogram.meanMs, histogram.percentile(50)]).toEqual([0, 0, 0, 0]);
});
