import { expect, test } from "vitest";
import { createIdSource } from "../src/id.ts";
import { isMessageId } from "../src/topic.ts";

/** A clock that says what the test wants. */
function clockAt(startMs: number): { ms: number; nowMs(): number } {
  const clock = { ms: startMs, nowMs: () => clock.ms };
  return clock;
}

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

test("an id is a UUIDv7 with the clock's milliseconds in front", () => {
  const clock = clockAt(0x0197_e2f0_1a2b);
  const id = createIdSource({ clock })();
  expect(id).toMatch(form);
  expect(id.startsWith("0197e2f0-1a2b-7000-")).toBe(true);
  expect(isMessageId(id)).toBe(true);
});

test("ids of one source rise strictly while the clock stands, runs, and steps back an hour", () => {
  const clock = clockAt(1_763_000_000_000);
  const next = createIdSource({ clock });
  let last = "";
  for (let index = 0; index < 50_000; index++) {
    if (index % 1_000 === 0) clock.ms += index % 7_000 === 0 ? -3_600_000 : 5;
    const id = next();
    expect(id > last).toBe(true);
    last = id;
  }
  expect(last).toMatch(form);
});

test("more than 4,096 ids in one millisecond borrow the next one", () => {
  const clock = clockAt(1_000);
  const next = createIdSource({ clock });
  const ids = Array.from({ length: 10_000 }, next);
  expect(timeOf(ids[4_095] as string)).toBe(1_000);
  expect(timeOf(ids[4_096] as string)).toBe(1_001);
  expect(new Set(ids).size).toBe(10_000);
});

test("time comes back to the clock once it has caught up", () => {
  const clock = clockAt(5_000);
  const next = createIdSource({ clock });
  next();
  clock.ms = 4_000;
  expect(timeOf(next())).toBe(5_000);
  clock.ms = 6_000;
  expect(timeOf(next())).toBe(6_000);
});

test("sources of their own do not collide, even in the same millisecond", () => {
  const clock = clockAt(1_763_000_000_000);
  const ids = new Set<string>();
  for (let source = 0; source < 200; source++) {
    const next = createIdSource({ clock });
    for (let index = 0; index < 100; index++) ids.add(next());
  }
  expect(ids.size).toBe(20_000);
});

test("with a seeded random the same run gives the same ids, drawing four numbers an id", () => {
  const sourceOf = () => {
    let draws = 0;
    const next = createIdSource({ clock: clockAt(1_763_000_000_000), random: () => (draws++ % 10) / 10 });
    return { next, draws: () => draws };
  };
  const [left, right] = [sourceOf(), sourceOf()];
  expect(Array.from({ length: 50 }, left.next)).toEqual(Array.from({ length: 50 }, right.next));
  expect(left.draws()).toBe(200);
});

test("clocks with fractions, before 1970 and far in the future still give well-formed rising ids", () => {
  for (const startMs of [0.25, -5, 1_763_000_000_000.9, 2 ** 48 + 5]) {
    const next = createIdSource({ clock: clockAt(startMs) });
    const ids = Array.from({ length: 50 }, next);
    for (const id of ids) expect(id).toMatch(form);
    expect(ids.toSorted()).toEqual(ids);
  }
});
