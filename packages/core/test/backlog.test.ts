import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Backlog } from "../src/backlog.ts";
import { Flight, type FlightHost } from "../src/flight.ts";
import { silentLogger } from "../src/logger.ts";
import { Settler } from "../src/settler.ts";
import type { WireMessage } from "../src/spi/message.ts";
import { delivery, FakeSubscription } from "./fake-backend.ts";
import { ManualClock } from "./manual-clock.ts";

const unexpected = (): Promise<never> => Promise.reject(new Error("not expected"));
const host: FlightHost = { group: "g", publishFrom: unexpected, replyTo: unexpected, loggerFor: () => silentLogger };
const source = new FakeSubscription({ patterns: [], inFlightMax: 1 }, undefined);
const settler = new Settler(source, new ManualClock(), { settled: () => undefined, stale: () => undefined, failed: () => undefined });

const flight = (id: string, changes: Partial<WireMessage> = {}): Flight => new Flight(delivery(id, changes), settler, host, undefined);

function takeAll(backlog: Backlog): string[] {
  const ids: string[] = [];
  for (let next = backlog.take(); next !== undefined; next = backlog.take()) ids.push(next.message.id);
  return ids;
}

test("higher priority goes first, equal ones in the order of arrival", () => {
  const backlog = new Backlog(false);
  for (const [id, priority] of Object.entries({ a: 4, b: 4, c: 9, d: 0, e: 9, f: 4 })) backlog.push(flight(id, { priority }));
  expect(backlog.size).toBe(6);
  expect(takeAll(backlog)).toEqual(["c", "e", "a", "b", "f", "d"]);
  expect(backlog.size).toBe(0);
});

test("a later one of higher priority passes what has not been taken, and only that", () => {
  const backlog = new Backlog(false);
  for (const id of ["a", "b", "c"]) backlog.push(flight(id));
  expect(backlog.take()?.message.id).toBe("a");
  backlog.push(flight("urgent", { priority: 9 }));
  expect(takeAll(backlog)).toEqual(["urgent", "b", "c"]);
});

test("ordered: a key that is busy waits, others and those without a key pass", () => {
  const backlog = new Backlog(true);
  const [first, second, other, none] = [flight("1", { key: "k" }), flight("2", { key: "k" }), flight("3", { key: "l" }), flight("4")];
  for (const each of [first, second, other, none]) backlog.push(each);
  expect(takeAll(backlog)).toEqual(["1", "3", "4"]);
  expect(backlog.take()).toBeUndefined();
  backlog.free(first);
  expect(takeAll(backlog)).toEqual(["2"]);
});

test("ordered: a higher priority never passes its own key", () => {
  const backlog = new Backlog(true);
  backlog.push(flight("1", { key: "k" }));
  backlog.push(flight("2"));
  backlog.push(flight("3", { key: "k", priority: 9 }));
  expect(backlog.take()?.message.id).toBe("1");
  backlog.free(flight("1", { key: "k" }));
  expect(takeAll(backlog).at(0)).not.toBe("1");
});

test("ordered: one that never started and leaves does not free the key of the one that runs", () => {
  const backlog = new Backlog(true);
  const [running, waiting] = [flight("1", { key: "k" }), flight("2", { key: "k" })];
  backlog.push(running);
  backlog.push(waiting);
  expect(backlog.take()).toBe(running);
  expect(backlog.takeAll()).toEqual([waiting]);
  backlog.free(waiting);
  backlog.push(flight("3", { key: "k" }));
  expect(backlog.take()).toBeUndefined();
  backlog.free(running);
  expect(backlog.take()?.message.id).toBe("3");
});

test("ordered: a flight that goes on in another hands its key over", () => {
  const backlog = new Backlog(true);
  const first = flight("1", { key: "k" });
  backlog.push(first);
  backlog.take();
  const next = first.again();
  backlog.passOn(first, next);
  backlog.push(flight("2", { key: "k" }));
  backlog.free(first);
  expect(backlog.take()).toBeUndefined();
  backlog.free(next);
  expect(backlog.take()?.message.id).toBe("2");
});

test("a backlog that is never empty keeps nothing of what was taken", async () => {
  const backlog = new Backlog(false);
  for (let index = 0; index < 8; index++) backlog.push(flight("m"));
  backlog.push(flight("watched"));
  let watched: WeakRef<Flight> | undefined;
  for (let index = 0; index < 5_000; index++) {
    backlog.push(flight("m"));
    const next = backlog.take();
    if (next?.message.id === "watched") watched = new WeakRef(next);
  }
  expect(backlog.size).toBe(9);
  await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds on to its target until the turn ends
  collectGarbage();
  expect(watched?.deref()).toBeUndefined();
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
