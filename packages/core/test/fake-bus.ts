/** A bus over the fake backend in manual time. */
import { BusCore } from "../src/bus-core.ts";
import { type BusOptions, resolveBusOptions } from "../src/bus-options.ts";
import type { BusEvents } from "../src/events.ts";
import { FakeBackend } from "./fake-backend.ts";
import { ManualClock } from "./manual-clock.ts";

export interface FakeBus {
  readonly bus: BusCore;
  readonly backend: FakeBackend;
  readonly clock: ManualClock;
  /** Names of the events so far. */
  readonly events: (keyof BusEvents)[];
}

const eventNames = [
  "connection-open",
  "connection-loss",
  "connection-failure",
  "publish-block",
  "publish-unblock",
  "gap",
  "recreation",
  "handler-failure",
  "retry",
  "dead-letter",
  "message-drop",
  "lease-loss",
  "subscription-stop",
  "warning",
] as const satisfies (keyof BusEvents)[];

export async function fakeBus(options: Partial<BusOptions> = {}, backend = new FakeBackend()): Promise<FakeBus> {
  const clock = new ManualClock();
  const bus = new BusCore(resolveBusOptions({ backend, clock, ...options }));
  const events: (keyof BusEvents)[] = [];
  for (const name of eventNames) bus.on(name, () => events.push(name));
  await bus.start();
  return { bus, backend, clock, events };
}
