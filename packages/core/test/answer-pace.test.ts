import { expect, test } from "vitest";
import { AnswerPace } from "../src/answer-pace.ts";

test("nothing waits before the first answer, nor where fewer than two batches are unanswered", () => {
  const pace = new AnswerPace();
  expect(pace.isWorthWaiting(2)).toBe(false);
  pace.answered(0.1);
  expect([pace.isWorthWaiting(1), pace.isWorthWaiting(2)]).toEqual([false, true]);
});

test("an answer that is overdue ends the waiting until answers are quick again, and slow answers do so by and by", () => {
  const pace = new AnswerPace();
  pace.answered(0.1);
  pace.overdue();
  expect(pace.isWorthWaiting(2)).toBe(false);
  pace.answered(1);
  expect(pace.isWorthWaiting(2)).toBe(true);
  for (let count = 0; count < 8; count++) pace.answered(10);
  expect(pace.isWorthWaiting(2)).toBe(false);
});
