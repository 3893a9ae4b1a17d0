import { isHalyardError } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { DeliveryBuffer } from "../../src/spi/delivery-buffer.ts";

const never = (): AbortSignal => new AbortController().signal;

it("hands over what waits, oldest first, and no more than was asked for", async () => {
  const buffer = new DeliveryBuffer<number>();
  for (const item of [1, 2, 3]) buffer.push(item);
  expect(await buffer.receive(2, never())).toEqual([1, 2]);
  expect(await buffer.receive(0, never())).toEqual([3]);
  expect(buffer.size).toBe(0);
});

it("hands over in one batch what arrives in one turn", async () => {
  const buffer = new DeliveryBuffer<number>();
  const received = buffer.receive(10, never());
  for (const item of [1, 2, 3]) buffer.push(item);
  expect(await received).toEqual([1, 2, 3]);
});

it("loses nothing where an arrival and an abort meet", async () => {
  const buffer = new DeliveryBuffer<number>();
  for (const isAbortFirst of [true, false]) {
    const controller = new AbortController();
    const received = buffer.receive(1, controller.signal);
    if (isAbortFirst) controller.abort();
    buffer.push(7);
    controller.abort();
    expect(await received).toEqual([]);
    expect(await buffer.receive(1, never())).toEqual([7]);
  }
});

it("takes one call at a time, also after one that was aborted", async () => {
  const buffer = new DeliveryBuffer<number>();
  const controller = new AbortController();
  const first = buffer.receive(1, controller.signal);
  await expect(buffer.receive(1, never())).rejects.toSatisfy((error) => isHalyardError(error, "BUSY"));
  controller.abort();
  expect(await first).toEqual([]);
  buffer.push(1);
  expect(await buffer.receive(1, never())).toEqual([1]);
});

it("hands over no more than there is room for, and looks again when told", async () => {
  let room = 1;
  const buffer = new DeliveryBuffer<number>(() => room);
  for (const item of [1, 2, 3]) buffer.push(item);
  expect(await buffer.receive(5, never())).toEqual([1]);
  room = 0;
  const received = buffer.receive(5, never());
  buffer.push(4);
  room = 2;
  buffer.tell();
  expect(await received).toEqual([2, 3]);
});

it("ends in peace with an empty batch for who waits and for all who come later", async () => {
  const buffer = new DeliveryBuffer<number>();
  const received = buffer.receive(1, never());
  buffer.close();
  buffer.push(1);
  buffer.fail(new Error("too late"));
  expect(await received).toEqual([]);
  expect(await buffer.receive(1, never())).toEqual([]);
  expect([buffer.isOver, buffer.error, buffer.size]).toEqual([true, undefined, 0]);
});

it("rejects with the first failure, and forgets what waited", async () => {
  const buffer = new DeliveryBuffer<number>();
  const received = buffer.receive(1, never());
  buffer.fail(new Error("first"));
  buffer.fail(new Error("second"));
  buffer.push(1);
  await expect(received).rejects.toThrow("first");
  await expect(buffer.receive(1, never())).rejects.toThrow("first");
  expect(buffer.size).toBe(0);
});

it("lets its owner take out the oldest, the newest, some or all", () => {
  const buffer = new DeliveryBuffer<number>();
  for (const item of [1, 2, 3, 4, 5]) buffer.push(item);
  expect([buffer.shift(), buffer.pop()]).toEqual([1, 5]);
  buffer.retain((item) => item !== 3);
  expect(buffer.size).toBe(2);
  expect(buffer.drain()).toEqual([2, 4]);
  expect(buffer.size).toBe(0);
});

it("keeps one listener on a signal that many calls share, and none after the end", async () => {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const buffer = new DeliveryBuffer<number>();
  for (let round = 0; round < 100; round++) {
    const received = buffer.receive(1, signal);
    buffer.push(round);
    expect(await received).toEqual([round]);
  }
  expect(listeners).toBe(1);
  buffer.close();
  expect(listeners).toBe(0);
});
