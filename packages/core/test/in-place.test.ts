import { expect, test } from "vitest";
import { Flight, type FlightHost } from "../src/flight.ts";
import { InPlace } from "../src/in-place.ts";
import { silentLogger } from "../src/logger.ts";
import { Settler } from "../src/settler.ts";
import { delivery, FakeSubscription } from "./fake-backend.ts";
import { ManualClock } from "./manual-clock.ts";

const unexpected = (): Promise<never> => Promise.reject(new Error("not expected"));
const host: FlightHost = { group: "g", publishFrom: unexpected, replyTo: unexpected, loggerFor: () => silentLogger };

function inPlace() {
  const clock = new ManualClock();
  const source = new FakeSubscription({ patterns: [], inFlightMax: 1 }, undefined);
  const settler = new Settler(source, clock, { settled: () => undefined, stale: () => undefined, failed: () => undefined });
  const flight = (id: string): Flight => new Flight(delivery(id), settler, host, undefined);
  const calls: number[] = [];
  const flights = new InPlace(clock, () => void calls.push(clock.monotonicMs()));
  return { clock, flight, flights, calls };
}

test("a flight may run again after its delay, in the order in which delays end", async () => {
  const { clock, flight, flights, calls } = inPlace();
  const [late, early] = [flight("late"), flight("early")];
  flights.pause(late, 20);
  flights.pause(early, 10);
  expect([flights.due, flights.take()]).toEqual([0, undefined]);
  await clock.advance(30);
  expect([calls.length, flights.due]).toEqual([2, 2]);
  expect([flights.take(), flights.take(), flights.take()]).toEqual([early, late, undefined]);
});

test("what is taken out or cancelled never comes due", async () => {
  const { clock, flight, flights, calls } = inPlace();
  const [due, waiting, cancelled] = [flight("due"), flight("waiting"), flight("cancelled")];
  flights.pause(due, 5);
  await clock.advance(5);
  flights.pause(waiting, 10);
  flights.pause(cancelled, 10);
  flights.cancelPause(cancelled);
  expect(flights.takeAll()).toEqual([due, waiting]);
  await clock.advance(50);
  expect([calls.length, flights.due]).toEqual([1, 0]);
});
