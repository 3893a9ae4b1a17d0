/** Promise 23: nothing grows over 100 reconnects. That no rejection goes unhandled is looked at over the whole suite. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ConformanceCase } from "../case.ts";
import { numbers, pause, recorder } from "../recorder.ts";

const reconnects = 100;
/** What 100 reconnects may leave behind in the heap: a session, a subscription or a socket that stays is larger than a hundredth of it. */
const heapBytesMax = 6 * 1024 * 1024;

/** Bytes in use after a full collection, which Node does on request only with this flag. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

/** The same, when what has just ended has let go of everything too. */
async function quietHeapBytes(): Promise<number> {
  let bytes = heapBytes();
  for (let time = 0; time < 3; time++) {
    await pause(20);
    bytes = Math.min(bytes, heapBytes());
  }
  return bytes;
}

/** Sockets, timers and other things that hold the process open, by kind. */
function handles(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** How often state is looked at per measurement, and how many measurements are taken. */
const looks = 100;
const measurements = 3;
/** What one look may leave behind. A callback that hangs on the connection's end weighs more: 2,900 bytes per walk over dead letters were measured. */
const bytesPerLookMax = 1_000;

const listeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);

export const leakCases: readonly ConformanceCase[] = [
  {
    promise: 23,
    title: "100 reconnects leave no handle, listener, connection or heap behind",
    kind: "fault",
    area: "subscribe",
    breaksItself: true,
    isAlone: true,
    async run(world) {
      const bus = await world.bus();
      const publisher = await world.bus({}, { steady: true });
      const inbox = recorder();
      let opens = 0;
      bus.on("connection-open", () => void opens++);
      const subscriptions = [await bus.subscribe("x.#", { group: "g" }, inbox.handle), await bus.subscribe("x.#", {}, () => undefined)];
      // A session that was of no use yet counts as a failed attempt, after which the next one waits longer.
      const reconnect = async (): Promise<void> => {
        const before = opens;
        world.disconnect();
        await world.until(() => opens > before && subscriptions.every(({ state }) => state === "connected"), "it reconnects, and subscribes again");
      };
      const works = async (payload: string): Promise<void> => {
        await publisher.publish("x.one", payload);
        await world.until(() => inbox.payloads().includes(payload), "it works");
      };
      for (let time = 0; time < 5; time++) await reconnect();
      await works("warm");
      const before = { handles: handles(), listeners: listeners(), heapBytes: heapBytes(), connections: world.connections };
      for (let time = 0; time < reconnects; time++) await reconnect();
      await works("after");
      await world.until(
        () => {
          const now = handles();
          return ["TCPSocketWrap", "PipeWrap", "Timeout"].every((kind) => (now.get(kind) ?? 0) <= (before.handles.get(kind) ?? 0) + 5);
        },
        () => `handles stay: ${JSON.stringify([...before.handles])} became ${JSON.stringify([...handles()])}`,
      );
      assert.ok(listeners() <= before.listeners, "listeners on the process grew");
      if (before.connections !== undefined) await world.until(() => (world.connections ?? 0) <= (before.connections ?? 0), "old connections are closed");
      const grownBytes = heapBytes() - before.heapBytes;
      assert.ok(grownBytes < heapBytesMax, `the heap grew by ${grownBytes} bytes`);
    },
  },
  {
    promise: 23,
    title: "walks over dead letters, reads of history and looks at the state leave nothing behind on a connection that lives on",
    kind: "limit",
    isAlone: true,
    async run(world) {
      // The kit's own seam would keep something for each call: steady is without one.
      const bus = await world.bus({ retry: { attemptsMax: 1 } }, { steady: true });
      const inbox = recorder(() => {
        throw new Error("dead at once");
      });
      await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      for (const index of numbers(3)) await bus.publish("x.one", index);
      const letters = bus.deadLetters("g");
      await world.until(async () => (await letters.count()) === 3, "there are dead letters to look at");
      const look = async (): Promise<void> => {
        assert.equal((await letters.list()).length, 3);
        if (world.abilities.history) for await (const _ of bus.history("x.#", { limit: 2 }));
        await bus.inspect();
      };
      const grownBytes: number[] = [];
      for (const _ of numbers(looks)) await look();
      for (const _ of numbers(measurements)) {
        const before = await quietHeapBytes();
        for (const _ of numbers(looks)) await look();
        grownBytes.push((await quietHeapBytes()) - before);
      }
      // What leaks grows every time; what is only compiled, cached or not collected yet does not.
      const leastBytes = Math.min(...grownBytes);
      assert.ok(leastBytes < looks * bytesPerLookMax, `the heap grew by ${grownBytes.join(", ")} bytes with every ${looks} looks`);
    },
  },
  {
    promise: 23,
    title: "subscriptions, buses and groups that come and go leave nothing behind",
    kind: "limit",
    isAlone: true,
    isOnWire: true,
    async run(world) {
      const bus = await world.bus();
      const comeAndGo = async (index: number): Promise<void> => {
        const subscription = await bus.subscribe("x.#", { group: "g" }, () => undefined);
        const live = await bus.subscribe("x.#", {}, () => undefined);
        await bus.publish("x.one", index);
        await subscription.close();
        await live.close();
      };
      // A session may keep what it opened for its first subscription, a connection to read on for example; the second one needs no more.
      await comeAndGo(0);
      const before = { handles: handles(), listeners: listeners(), connections: world.connections };
      for (const index of numbers(50)) await comeAndGo(index);
      for (let time = 0; time < 10; time++) await (await world.bus()).close();
      const info = await bus.groups.get("g");
      if (info?.members !== undefined) assert.equal(info.members, 0, "closed members are still counted");
      await world.until(
        () => {
          const now = handles();
          return ["Timeout", "TCPSocketWrap"].every((kind) => (now.get(kind) ?? 0) <= (before.handles.get(kind) ?? 0) + 5);
        },
        () => `handles stay: ${JSON.stringify([...before.handles])} became ${JSON.stringify([...handles()])}`,
      );
      assert.ok(listeners() <= before.listeners, "listeners on the process grew");
      if (before.connections !== undefined) await world.until(() => (world.connections ?? 0) <= (before.connections ?? 0), "their connections are closed");
    },
  },
  {
    promise: 23,
    title: "handlers, listeners and decoders that throw odd things end no process",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const odd: readonly unknown[] = [undefined, null, "text", 7, Object.create(null), new Proxy({}, {}), Symbol("odd")];
      const inbox = recorder(({ payload }) => {
        if (typeof payload === "number") throw odd[payload];
      });
      bus.on("handler-failure", () => {
        throw new Error("a listener that throws");
      });
      bus.on("retry", async () => {
        throw new Error("a listener that rejects");
      });
      await bus.subscribe("x.#", { group: "g", concurrency: 5 }, inbox.handle);
      for (const index of odd.keys()) await bus.publish("x.one", index);
      await world.until(async () => (await bus.deadLetters("g").count()) === odd.length, "all are dead letters");
      await bus.publish("x.one", "end");
      await world.until(() => inbox.payloads().includes("end"), "it goes on");
    },
  },
];
