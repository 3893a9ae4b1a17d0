import { expect, test } from "vitest";
import { HistoryRing } from "../../src/hub/history.ts";
import { patterns, wireMessage } from "../sample.ts";

function ringOf(count: number, limits = { messagesMax: 1_000, bytesMax: 1_000_000 }): HistoryRing {
  const ring = new HistoryRing(limits);
  for (let index = 1; index <= count; index++) ring.append(wireMessage(`m${index}`, { timeMs: index * 100, topic: index % 2 === 0 ? "even" : "odd" }), 10);
  return ring;
}

const idsOf = (result: { messages: readonly { message: { id: string } }[] }): string[] => result.messages.map(({ message }) => message.id);

test("history reads in order in pages, from the start, and says when nothing more is stored", () => {
  const ring = ringOf(5);
  const first = ring.read(patterns("#"), 0, 3);
  expect([idsOf(first), first.end]).toEqual([["m1", "m2", "m3"], false]);
  const rest = ring.read(patterns("#"), Number(first.messages.at(-1)?.position), 3);
  expect([idsOf(rest), rest.end]).toEqual([["m4", "m5"], true]);
});

test("history reads only what the patterns match, and from a time", () => {
  const ring = ringOf(6);
  expect(idsOf(ring.read(patterns("odd"), 0, 10))).toEqual(["m1", "m3", "m5"]);
  expect(idsOf(ring.read(patterns("#"), ring.positionBefore(350), 10))).toEqual(["m4", "m5", "m6"]);
  expect(idsOf(ring.read(patterns("#"), ring.positionBefore(9_999), 10))).toEqual([]);
});

test("the oldest go first when there are too many messages or bytes, and positions stay what they were", () => {
  const byCount = ringOf(10, { messagesMax: 3, bytesMax: 1_000_000 });
  expect(byCount.read(patterns("#"), 0, 10).messages.map(({ position }) => position)).toEqual(["8", "9", "10"]);
  expect(byCount.lastPosition).toBe(10);
  const byBytes = ringOf(10, { messagesMax: 1_000, bytesMax: 25 });
  expect(idsOf(byBytes.read(patterns("#"), 5, 10))).toEqual(["m9", "m10"]);
});

test("a message is found by id, and topics are counted", () => {
  const ring = ringOf(5);
  expect(ring.find("m3")?.position).toBe("3");
  expect(ring.find("m3", "even")).toBe(undefined);
  expect(ring.find("m9")).toBe(undefined);
  expect(ring.countsByTopic()).toEqual([
    { topic: "odd", stored: 3 },
    { topic: "even", stored: 2 },
  ]);
});
