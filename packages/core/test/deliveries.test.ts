import { expect, test } from "vitest";
import type { ManualDelivery } from "../src/deliveries.ts";
import { HalyardError } from "../src/errors.ts";
import { delivery } from "./fake-backend.ts";
import { fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

test("each delivery is settled by hand, once", async () => {
  const { bus, backend } = await fakeBus({ retry: { delayMs: 100, jitter: 0 } });
  const deliveries = bus.deliveries("#", { group: "g", inFlightMax: 10 });
  const decisions: Record<string, (given: ManualDelivery) => void> = {
    ack: (given) => given.ack(),
    retry: (given) => given.retry({ delayMs: 5, error: new Error("mine") }),
    policy: (given) => given.retry(),
    release: (given) => given.release(),
    letter: (given) => given.deadLetter("no use"),
  };
  const first = deliveries.next();
  await quiet();
  for (const id of Object.keys(decisions)) backend.subscription.deliver(delivery(id));
  let result = await first;
  for (let seen = 1; ; seen++) {
    if (result.done) throw new Error("ended");
    decisions[result.value.message.id]?.(result.value);
    result.value.ack(); // too late
    await quiet();
    if (seen === 5) break;
    result = await deliveries.next();
  }
  expect(backend.subscription.outcomes).toEqual(["ack:ack", "retry:inbox", "policy:inbox", "release:release", "letter:dead-letters"]);
  expect(backend.subscription.settled).toMatchObject([{}, { outcome: { delayMs: 5 } }, { outcome: { delayMs: 100 } }, {}, {}]);
  expect(bus.metrics()).toMatchObject({ handled: 1, retried: 2, released: 1, deadLettered: 1 });
});

test("leaving the loop ends the subscription, gives back what is not settled, and keeps what is", async () => {
  const { bus, backend, clock } = await fakeBus();
  let seen = 0;
  const loop = (async () => {
    for await (const { ack } of bus.deliveries("#", { group: "g", inFlightMax: 3 })) {
      ack();
      if (++seen === 2) break;
    }
  })();
  await quiet();
  const source = backend.subscription;
  source.deliver(delivery("a"));
  await quiet();
  source.deliver(delivery("b"), delivery("c"), delivery("d"));
  await clock.advance(100);
  await loop;
  expect(source.outcomes.slice(0, 2)).toEqual(["a:ack", "b:ack"]);
  expect(source.outcomes.slice(2).sort()).toEqual(["c:release", "d:release"]);
  expect(source.isClosed).toBe(true);
});

test("leaving without settling the current one gives it back, and warns of nothing", async () => {
  const { bus, backend, clock, events } = await fakeBus();
  const loop = (async () => {
    for await (const given of bus.deliveries("#", { group: "g" })) {
      expect(given.message.id).toBe("a");
      break;
    }
  })();
  await quiet();
  const source = backend.subscription;
  source.deliver(delivery("a"));
  await clock.advance(100);
  await loop;
  expect(source.outcomes).toEqual(["a:release"]);
  expect(events).not.toContain("warning");
});

test("return before the first next ends it: nothing is subscribed afterwards", async () => {
  const { bus, backend } = await fakeBus();
  const deliveries = bus.deliveries("#", { group: "g" });
  await deliveries.return();
  expect(await deliveries.next()).toEqual({ done: true, value: undefined });
  expect(backend.session.subscriptions).toEqual([]);
});

test("the loop ends with the bus, and with an error where the subscription ends by itself", async () => {
  const closing = await fakeBus();
  const next = closing.bus.deliveries("#", { group: "g" }).next();
  await quiet();
  await closing.bus.close();
  expect(await next).toEqual({ done: true, value: undefined });

  const removed = await fakeBus();
  const failing = removed.bus.deliveries("#", { group: "g" }).next();
  const rejected = expect(failing).rejects.toMatchObject({ code: "GROUP_REMOVED" });
  await quiet();
  removed.backend.subscription.fail(new HalyardError("GROUP_REMOVED", "gone"));
  await rejected;
});

test("a subscribe that fails rejects next", async () => {
  const { bus } = await fakeBus();
  await expect(bus.deliveries("#.bad pattern").next()).rejects.toMatchObject({ code: "INVALID_PATTERN" });
});

test("what is never settled is retried after handlerTimeoutMs, and deciding later does nothing", async () => {
  const { bus, backend, clock } = await fakeBus({ retry: { delayMs: 100, jitter: 0 } });
  const deliveries = bus.deliveries("#", { group: "g", handlerTimeoutMs: 1_000 });
  const next = deliveries.next();
  await quiet();
  backend.subscription.deliver(delivery("a"));
  const { value } = await next;
  await clock.advance(1_100);
  expect(backend.subscription.outcomes).toEqual(["a:inbox"]);
  value?.ack();
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["a:inbox"]);
});

test("what nobody has taken yet and is gone is not handed out any more", async () => {
  const { bus, backend, clock } = await fakeBus();
  const deliveries = bus.deliveries("#", { group: "g", inFlightMax: 5 });
  const next = deliveries.next();
  await quiet();
  backend.subscription.deliver(delivery("a"));
  (await next).value?.ack();
  await quiet();
  backend.subscription.deliver(delivery("b"), delivery("c"));
  await quiet();
  backend.session.lose();
  await clock.advance(1_000);
  backend.subscription.deliver(delivery("b", {}, 2));
  const again = await deliveries.next();
  expect(again.value?.context.deliveries).toBe(2);
});

test("without a group the buffer is a live one: a burst is not lost for want of a larger window", async () => {
  const { bus, backend } = await fakeBus();
  void bus.deliveries("#").next();
  await quiet();
  expect(backend.subscription.request.inFlightMax).toBe(1_000);
});
