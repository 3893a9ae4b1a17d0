import { expect, test } from "vitest";
import { Credit } from "../src/credit.ts";
import type { BackendSubscription } from "../src/spi/subscription.ts";

function source(): BackendSubscription & { readonly told: number[] } {
  const told: number[] = [];
  return { told, credit: (most) => void told.push(most), receive: async () => [], settle: async () => undefined, close: async () => undefined };
}

test("a group's credit begins at one and opens once", () => {
  const credit = new Credit(true, 10);
  const first = source();
  credit.attach(first, true);
  expect(credit.room(0)).toBe(1);
  credit.open();
  credit.open();
  expect(first.told).toEqual([1, 10]);
  expect(credit.room(4)).toBe(6);
});

test("a pause leaves no room and takes a group's credit away, whatever comes, until it ends", () => {
  const credit = new Credit(true, 10);
  const first = source();
  credit.attach(first, false);
  credit.pause();
  credit.narrow();
  expect([credit.isPaused, credit.room(0), first.told]).toEqual([true, 0, [10, 0, 0]]);
  credit.resume();
  expect([credit.isPaused, credit.room(0), first.told.at(-1)]).toEqual([false, 1, 1]);
});

test("a live subscription keeps its buffer through a pause", () => {
  const credit = new Credit(false, 10);
  const first = source();
  credit.attach(first, false);
  credit.pause();
  credit.withdraw();
  expect([first.told, credit.room(0)]).toEqual([[10], 0]);
});

test("a source that is gone is told nothing more, and the next one begins anew", () => {
  const credit = new Credit(true, 10);
  const [first, second] = [source(), source()];
  credit.attach(first, false);
  credit.detach();
  credit.narrow();
  credit.attach(second, false);
  expect([first.told, second.told]).toEqual([[10], [10]]);
});
