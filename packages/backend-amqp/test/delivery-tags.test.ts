import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { DeliveryTags } from "../src/delivery-tags.ts";

const holding = (count: number): DeliveryTags => {
  const tags = new DeliveryTags();
  for (let tag = 1; tag <= count; tag++) tags.add(tag);
  return tags;
};

describe("delivery tags", () => {
  it("ack everything up to a tag at once where nothing below is held", () => {
    const tags = holding(5);
    for (const tag of [1, 2, 3]) assert.ok(tags.ack(tag));
    assert.deepEqual(tags.flush(), { upTo: 3, single: [] });
    assert.deepEqual(tags.flush(), { upTo: 0, single: [] }, "nothing is acked twice");
  });

  it("ack by itself what is settled behind one that is held, and together what follows when that one is settled", () => {
    const tags = holding(5);
    for (const tag of [2, 4]) tags.ack(tag);
    assert.deepEqual(tags.flush(), { upTo: 0, single: [2, 4] });
    for (const tag of [1, 3]) tags.ack(tag);
    assert.deepEqual(tags.flush(), { upTo: 3, single: [] });
  });

  it("never ack what was given back or is being moved", () => {
    const tags = holding(4);
    assert.ok(tags.release(1));
    assert.ok(tags.beginMove(2));
    for (const tag of [3, 4]) tags.ack(tag);
    assert.deepEqual(tags.flush(), { upTo: 0, single: [3, 4] });
    tags.endMove(2, true);
    assert.deepEqual(tags.flush(), { upTo: 2, single: [] });
  });

  it("hold again what could not be moved", () => {
    const tags = holding(2);
    assert.ok(tags.beginMove(1));
    assert.equal(tags.ack(1), false, "it is being moved");
    tags.endMove(1, false);
    assert.deepEqual(tags.flush(), { upTo: 0, single: [] });
    assert.ok(tags.ack(1), "it is held again");
    assert.deepEqual(tags.flush(), { upTo: 1, single: [] });
  });

  it("refuse what was settled before, or never held", () => {
    const tags = holding(2);
    assert.ok(tags.ack(1));
    assert.equal(tags.ack(1), false);
    tags.flush();
    for (const wrong of [0, -1, 1, 3, Number.NaN, 1.5]) {
      assert.equal(tags.ack(wrong), false, `ack ${wrong}`);
      assert.equal(tags.release(wrong), false, `release ${wrong}`);
      assert.equal(tags.beginMove(wrong), false, `move ${wrong}`);
    }
  });

  it("tell a broker that does as told exactly what was acked, whatever the order", () => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const tags = new DeliveryTags();
    const broker = new Set<number>(); // unacked there
    const held: number[] = [];
    const acked = new Set<number>();
    let next = 1;
    for (let step = 0; step < 20_000; step++) {
      if (random() < 0.5 && held.length < 200) {
        tags.add(next);
        broker.add(next);
        held.push(next++);
      } else if (held.length > 0) {
        const [tag] = held.splice(random() < 0.5 ? 0 : Math.floor(random() * held.length), 1);
        if (tag === undefined) continue;
        if (random() < 0.1) {
          assert.ok(tags.release(tag));
          broker.delete(tag);
        } else {
          assert.ok(tags.ack(tag));
          acked.add(tag);
        }
      }
      if (random() >= 0.2) continue;
      const { upTo, single } = tags.flush();
      for (const tag of [...broker]) if (tag <= upTo || single.includes(tag)) assert.ok(broker.delete(tag) && acked.delete(tag), `${tag} was acked unasked`);
      assert.equal(acked.size, 0, "something that was to be acked was not");
    }
  });
});
