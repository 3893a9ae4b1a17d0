/** Exclusive groups over processes that are killed, stopped and closed: one active member at a time, and the order of each key over every change. */
import { type Bus, createBus } from "@halyard/core";
import { startWorker, type Worker } from "@halyard/testkit";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nats } from "../src/index.ts";

let broker: Broker;
let spaces = 0;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await startNats({ isOwned: true });
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => broker?.stop());

const space = (): string => `solo-${++spaces}`;

interface Word {
  readonly event: "ready" | "begin" | "end" | "closed";
  readonly payload: number;
  readonly key: string;
  readonly atMs: number;
}

interface Run {
  readonly member: number;
  readonly payload: number;
  readonly key: string;
  readonly beginMs: number;
  /** Where it was cut short: when its process was killed. */
  readonly endMs: number;
  readonly isWhole: boolean;
}

interface Member {
  readonly worker: Worker;
  endedMs: number;
}

async function until(condition: () => boolean | Promise<boolean>, what: string, deadlineMs = 30_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function busOn(namespace: string, ackWaitMs = 30_000): Promise<Bus> {
  const bus = await createBus({ backend: nats({ url: broker.url, ackWaitMs, confirmTimeoutMs: 1_000, requestTimeoutMs: 2_000 }), namespace });
  closing.push(() => bus.close({ timeoutMs: 500 }));
  return bus;
}

async function memberOf(namespace: string, { ackWaitMs = 30_000, runMs = 5 } = {}): Promise<Member> {
  const worker = startWorker(new URL("./support/exclusive-member.mjs", import.meta.url), { args: [broker.url, namespace, String(ackWaitMs), String(runMs)] });
  await worker.waitFor<Word>(({ event }) => event === "ready", 20_000);
  return { worker, endedMs: Number.POSITIVE_INFINITY };
}

const nowMs = (): number => performance.timeOrigin + performance.now();
const wordsOf = ({ worker }: Member): readonly Word[] => worker.messages as readonly Word[];
const isActive = (member: Member): boolean => wordsOf(member).some(({ event }) => event === "begin");

async function kill(member: Member): Promise<void> {
  await member.worker.kill();
  member.endedMs = nowMs();
}

function runsOf(members: readonly Member[]): readonly Run[] {
  const runs: Run[] = [];
  for (const [index, member] of members.entries()) {
    const words = wordsOf(member);
    for (const [place, { event, payload, key, atMs }] of words.entries()) {
      if (event !== "begin") continue;
      const end = words.slice(place + 1).find((word) => word.event === "end" && word.payload === payload && word.key === key);
      runs.push({ member: index, payload, key, beginMs: atMs, endMs: end?.atMs ?? member.endedMs, isWhole: end !== undefined });
    }
  }
  return runs.sort((one, other) => one.beginMs - other.beginMs);
}

/** Runs of two members at the same time. */
const overlapsOf = (runs: readonly Run[]): readonly string[] =>
  runs.flatMap((run, index) =>
    runs
      .slice(index + 1)
      .filter(({ member, beginMs }) => member !== run.member && beginMs < run.endMs)
      .map((other) => `${run.key}${run.payload} of ${run.member} with ${other.key}${other.payload} of ${other.member}`),
  );

/** Runs that began before one with a smaller number of the same key had ever come to its end. */
const overtakenOf = (runs: readonly Run[]): readonly string[] => {
  const done = new Map<string, number>();
  const over: { readonly key: string; readonly payload: number; readonly endMs: number }[] = [];
  const wrong: string[] = [];
  for (const run of runs) {
    for (const { key, payload } of over.filter(({ endMs }) => endMs <= run.beginMs)) if (payload > (done.get(key) ?? -1)) done.set(key, payload);
    if (run.payload > (done.get(run.key) ?? -1) + 1) wrong.push(`${run.key}${run.payload} after ${run.key}${done.get(run.key) ?? "nothing"}`);
    if (run.isWhole) over.push(run);
  }
  return wrong;
};

const keys = ["x", "y", "z"];

/** Publishes numbers under each key until it is stopped. Resolves with how many. */
function load(bus: Bus, pauseMs = 3): { readonly count: () => number; stop(): Promise<number> } {
  let isOver = false;
  let next = 0;
  const running = (async () => {
    for (; !isOver; next++) {
      await Promise.all(keys.map((key) => bus.publish(`a.${key}`, next, { key })));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  return {
    count: () => next,
    async stop() {
      isOver = true;
      await running;
      return next;
    },
  };
}

const isThrough = (members: readonly Member[], count: number): boolean => {
  const done = new Set(members.flatMap((member) => wordsOf(member).filter(({ event }) => event === "end")).map(({ key, payload }) => `${key}${payload}`));
  return done.size >= count * keys.length;
};

describe("an exclusive group", { timeout: 120_000 }, () => {
  it("goes on at once when its active member is killed, with what that one held, each key in order, never two at once", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    await bus.groups.define("g", { add: ["a.#"] });
    const members = [await memberOf(namespace), await memberOf(namespace)];
    const publishing = load(bus);
    for (let kills = 0; kills < 4; kills++) {
      await until(() => members.some((member) => member.endedMs === Number.POSITIVE_INFINITY && isActive(member)), "one is active");
      const active = members.findIndex((member) => member.endedMs === Number.POSITIVE_INFINITY && isActive(member));
      const victim = members[active];
      if (victim === undefined) throw new Error("nobody is active");
      const before = wordsOf(victim).length;
      await until(() => wordsOf(victim).length > before + 100, "it works");
      members.push(await memberOf(namespace));
      await kill(victim);
      const others = members.filter((member) => member.endedMs === Number.POSITIVE_INFINITY);
      await until(() => others.some(isActive), "the next one is active");
      const gapMs = Math.min(...others.flatMap((member) => wordsOf(member).find(({ event }) => event === "begin")?.atMs ?? [])) - victim.endedMs;
      expect(gapMs).toBeLessThan(10_000); // a third of `ack_wait`
    }
    const count = await publishing.stop();
    await until(() => isThrough(members, count), "all are handled");
    const runs = runsOf(members);
    expect(overlapsOf(runs)).toEqual([]);
    expect(overtakenOf(runs)).toEqual([]);
  });

  it("goes on without a member that hangs, which starts nothing more when it is back", async () => {
    const namespace = space();
    const timing = { ackWaitMs: 5_000, runMs: 20 };
    const bus = await busOn(namespace, timing.ackWaitMs);
    await bus.groups.define("g", { add: ["a.#"] });
    const first = await memberOf(namespace, timing);
    const publishing = load(bus, 30);
    await until(() => isActive(first), "the first one is active");
    const second = await memberOf(namespace, timing);
    await until(() => wordsOf(first).length > 50, "it works");
    await first.worker.kill("SIGSTOP");
    const stoppedMs = nowMs();
    await until(() => isActive(second), "the second one takes over");
    await new Promise((resolve) => setTimeout(resolve, 500));
    await first.worker.kill("SIGCONT");
    const count = await publishing.stop();
    await until(() => isThrough([first, second], count), "all are handled");
    // What it was at when it was stopped comes to its end; it begins nothing.
    expect(wordsOf(first).filter(({ event, atMs }) => event === "begin" && atMs > stoppedMs + 100)).toEqual([]);
    const runs = runsOf([first, second]).filter(({ endMs, member }) => member === 1 || endMs <= stoppedMs + 100);
    expect(overlapsOf(runs)).toEqual([]);
    expect(overtakenOf(runs)).toEqual([]);
  });

  it("hands over in order, and nothing twice, when its active member closes under load", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    await bus.groups.define("g", { add: ["a.#"] });
    const members = [await memberOf(namespace)];
    const publishing = load(bus);
    for (let changes = 0; changes < 4; changes++) {
      const active = members.at(-1);
      if (active === undefined) throw new Error("nobody is there");
      await until(() => wordsOf(active).length > 100, "it works");
      members.push(await memberOf(namespace));
      active.worker.send({ close: true });
      await active.worker.waitFor<Word>(({ event }) => event === "closed", 20_000);
    }
    const count = await publishing.stop();
    await until(() => isThrough(members, count), "all are handled");
    const runs = runsOf(members);
    expect(overlapsOf(runs)).toEqual([]);
    expect(overtakenOf(runs)).toEqual([]);
    expect(runs.length).toBe(count * keys.length);
  });

  it("has one active member where several are on one bus", async () => {
    const bus = await busOn(space());
    const seen: string[] = [];
    const subscriptions = [];
    for (const name of ["first", "second"]) subscriptions.push(await bus.subscribe("a.#", { group: "g", exclusive: true }, () => void seen.push(name)));
    for (let index = 0; index < 20; index++) await bus.publish("a.b", index);
    await until(() => seen.length === 20, "all are handled");
    expect(new Set(seen)).toEqual(new Set(["first"]));
    await subscriptions[0]?.close();
    for (let index = 0; index < 20; index++) await bus.publish("a.b", index);
    await until(() => seen.length === 40, "all are handled");
    expect(new Set(seen.slice(20))).toEqual(new Set(["second"]));
  });

  it("lets members compete beside the active one that did not ask, and takes nothing from them when it changes", async () => {
    const namespace = space();
    const [first, second, beside, publisher] = [await busOn(namespace), await busOn(namespace), await busOn(namespace), await busOn(namespace)];
    const seen: string[] = [];
    const held: unknown[] = [];
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    await first.subscribe("a.#", { group: "g", exclusive: true }, ({ payload }) => void seen.push(`first ${payload}`));
    await second.subscribe("a.#", { group: "g", exclusive: true }, ({ payload }) => void seen.push(`second ${payload}`));
    await beside.subscribe("a.#", { group: "g", inFlightMax: 1 }, async ({ payload }) => {
      held.push(payload);
      seen.push(`beside ${payload}`);
      await opened;
    });
    for (let index = 0; index < 50; index++) await publisher.publish("a.b", index);
    await until(() => seen.length === 50, "all are handled, or held");
    expect(held.length).toBe(1);
    expect(seen.filter((one) => one.startsWith("second"))).toEqual([]);
    await first.close();
    for (let index = 50; index < 60; index++) await publisher.publish("a.b", index);
    await until(() => seen.length === 60, "the next one goes on");
    open();
    await publisher.publish("a.b", 60);
    await until(() => seen.length === 61, "they go on together");
    expect(new Set(seen.map((one) => one.split(" ")[1])).size).toBe(61);
  });

  it("goes on when its lock was deleted, and when the server was restarted", async () => {
    const namespace = space();
    const buses = [await busOn(namespace, 3_000), await busOn(namespace, 3_000)];
    const publisher = await busOn(namespace);
    const seen: unknown[] = [];
    for (const bus of buses) await bus.subscribe("a.#", { group: "g", exclusive: true }, ({ payload }) => void seen.push(payload));
    const connection = await connect({ servers: `127.0.0.1:${broker.port}` });
    await (await jetstreamManager(connection)).streams.purge(`${namespace}_inbox`, { filter: `${namespace}_inbox.turn.g` });
    await connection.close();
    for (let index = 0; index < 50; index++) {
      await publisher.publish("a.b", index);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => new Set(seen).size === 50, "all are handled");
    await broker.restart();
    for (let index = 50; index < 100; index++) await publisher.publish("a.b", index);
    await until(() => new Set(seen).size === 100, "all are handled");
    const firsts = [...new Set(seen)];
    expect(firsts).toEqual([...firsts].sort((one, other) => Number(one) - Number(other)));
  });

  it("stays with its active member while the server has no room for its lock", async () => {
    const namespace = space();
    const [first, second] = [await busOn(namespace, 3_000), await busOn(namespace, 3_000)];
    const publisher = await busOn(namespace);
    const seen: string[] = [];
    await first.subscribe("a.#", { group: "g", exclusive: true }, () => void seen.push("first"));
    await second.subscribe("a.#", { group: "g", exclusive: true }, () => void seen.push("second"));
    const connection = await connect({ servers: `127.0.0.1:${broker.port}` });
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info(`${namespace}_inbox`);
    await streams.update(`${namespace}_inbox`, { max_bytes: state.bytes });
    const startMs = performance.now();
    let count = 0;
    for (; performance.now() - startMs < 6_000; count++) {
      await publisher.publish("a.b", 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until(() => seen.length === count, "all are handled without room", 1_000);
    expect(new Set(seen)).toEqual(new Set(["first"]));
    await streams.update(`${namespace}_inbox`, { max_bytes: -1 });
    await connection.close();
    await first.close();
    await publisher.publish("a.b", 1);
    await until(() => seen.length === count + 1, "the next one goes on");
    expect(seen.at(-1)).toBe("second");
  });

  it("loses nothing and has one active member when the server is killed under load", async () => {
    const namespace = space();
    const bus = await busOn(namespace, 3_000);
    await bus.groups.define("g", { add: ["a.#"] });
    const timing = { ackWaitMs: 3_000 };
    const members = [await memberOf(namespace, timing), await memberOf(namespace, timing)];
    const publishing = load(bus, 10);
    for (let kills = 0; kills < 2; kills++) {
      const before = members.reduce((sum, member) => sum + wordsOf(member).length, 0);
      await until(() => members.reduce((sum, member) => sum + wordsOf(member).length, 0) > before + 200, "they work");
      await broker.kill();
      await broker.start();
    }
    const count = await publishing.stop();
    await until(() => isThrough(members, count), "all are handled");
    expect(overtakenOf(runsOf(members))).toEqual([]);
    expect(overlapsOf(runsOf(members))).toEqual([]);
  });

  it("leaves no lock behind", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    const subscription = await bus.subscribe("a.#", { group: "g", exclusive: true }, () => undefined);
    const connection = await connect({ servers: `127.0.0.1:${broker.port}` });
    const { streams } = await jetstreamManager(connection);
    const locks = async (): Promise<number> => {
      const { state } = await streams.info(`${namespace}_inbox`, { subjects_filter: `${namespace}_inbox.turn.>` });
      return Object.keys(state.subjects ?? {}).length;
    };
    expect(await locks()).toBe(1);
    await subscription.close();
    expect(await locks()).toBe(0);
    await connection.close();
  });
});
