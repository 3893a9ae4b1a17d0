import fc from "fast-check";
import { expect, test } from "vitest";
import { DedupLog } from "../../src/hub/dedup.ts";
import { Fingerprints } from "../../src/hub/fingerprint.ts";

function logOf(settings: { windowMs?: number; idsMax?: number } = {}) {
  const fingerprints = new Fingerprints(() => 0.3);
  const log = new DedupLog({ windowMs: settings.windowMs ?? 1_000, idsMax: settings.idsMax ?? 1_000_000, fingerprints });
  const topic = fingerprints.ofTopic("task.new");
  const isKnown = (id: string, at = topic): boolean => {
    log.look(at, id);
    return log.isKnown();
  };
  const add = (id: string, at = topic): void => {
    log.look(at, id);
    log.add();
  };
  return { log, fingerprints, isKnown, add };
}

test("an id is known from when it is added, at least for the window, and at most an eighth longer", () => {
  const step = fc.record({ id: fc.integer({ min: 0, max: 30 }), waitMs: fc.nat(300), isLookedUp: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
      const { log, isKnown, add } = logOf();
      const addedMs = new Map<number, number>();
      let nowMs = 0;
      for (const { id, waitMs, isLookedUp } of steps) {
        nowMs += waitMs;
        log.advance(nowMs);
        const ageMs = nowMs - (addedMs.get(id) ?? Number.NEGATIVE_INFINITY);
        // Not every step looks up, so that the index has to catch up with what was only appended.
        if (isLookedUp) {
          const known = isKnown(String(id));
          if (ageMs <= 1_000) expect(known).toBe(true);
          if (ageMs > 1_125) expect(known).toBe(false);
          if (known) continue;
        }
        add(String(id));
        addedMs.set(id, nowMs);
      }
    }),
  );
});

test("ids are known over many chunks and their growth, and strangers are not", () => {
  const { log, isKnown, add } = logOf();
  log.advance(0);
  for (let index = 0; index < 100_000; index++) add(`order-${index}`);
  expect(log.count).toBe(100_000);
  for (let index = 0; index < 100_000; index += 7) expect(isKnown(`order-${index}`)).toBe(true);
  for (let index = 100_000; index < 150_000; index++) if (isKnown(`order-${index}`)) expect.fail(`order-${index} was never added`);
});

test("the same id on another topic is another message", () => {
  const { isKnown, add, fingerprints } = logOf();
  add("a", fingerprints.ofTopic("task.new"));
  expect(isKnown("a", fingerprints.ofTopic("task.old"))).toBe(false);
  expect(isKnown("a", fingerprints.ofTopic("task.new"))).toBe(true);
});

test("the log is full at its bound and has room again when the window has passed", () => {
  const { log, add } = logOf({ idsMax: 3 });
  log.advance(0);
  for (const id of ["a", "b", "c"]) {
    expect(log.isFull).toBe(false);
    add(id);
  }
  expect(log.isFull).toBe(true);
  log.advance(1_001);
  expect([log.isFull, log.count]).toEqual([false, 0]);
});

test("a window of zero remembers nothing and is never full", () => {
  const { log, isKnown, add } = logOf({ windowMs: 0, idsMax: 1 });
  add("a");
  add("b");
  expect([isKnown("a"), log.isFull, log.count]).toEqual([false, false, 0]);
});

test("a hundred thousand similar ids have as many fingerprints, whatever the seed", () => {
  const forms = [(index: number) => `order-${index}`, (index: number) => index.toString(36).padStart(9, "0"), (index: number) => `${index}`.repeat(3)];
  for (const random of [() => 0, () => 0.5, () => 0.999]) {
    const fingerprints = new Fingerprints(random);
    const topic = fingerprints.ofTopic("task.new");
    for (const form of forms) {
      const seen = new Set<bigint>();
      for (let index = 0; index < 100_000; index++) {
        fingerprints.ofId(topic, form(index));
        seen.add((BigInt(fingerprints.low >>> 0) << 32n) | BigInt(fingerprints.high >>> 0));
      }
      expect(seen.size).toBe(100_000);
    }
  }
});
