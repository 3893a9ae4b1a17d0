/** What only this broker does, on a real one. What every backend must do is asked by the kit. */

import { createServer, connect as dial } from "node:net";
import { type Bus, createBus } from "@halyard/core";
import { type Host, isHalyardError, parsePattern, systemClock } from "@halyard/core/spi";
import { faultProxy } from "@halyard/testkit";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { AckPolicy, DeliverPolicy, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type NatsOptions, nats } from "../src/index.ts";
import { leastPrivileges } from "./support/permissions.ts";

let broker: Broker;
let connection: NatsConnection;
let manager: JetStreamManager;
let spaces = 0;
const closing: (() => Promise<unknown>)[] = [];

const user = { user: "narrow", password: "narrow" };

beforeAll(async () => {
  const allowed = leastPrivileges("kit", "_INBOX_kit");
  broker = await startNats({
    users: [
      { user: "root", password: "root" },
      {
        ...user,
        permissions: {
          ...allowed,
          publish: { allow: allowed.publish, deny: ["kit.*.secret.>"] },
          subscribe: { allow: allowed.subscribe, deny: ["kit.*.forbidden.>"] },
        },
      },
    ],
    isOwned: true,
  });
  connection = await connect({ servers: `127.0.0.1:${broker.port}`, user: "root", pass: "root" });
  manager = await jetstreamManager(connection);
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => {
  await connection?.close();
  await broker?.stop();
});

const space = (): string => `quirk-${++spaces}`;

async function busOn(namespace: string, options: NatsOptions = {}): Promise<Bus> {
  const place = options.connection === undefined ? { url: broker.url } : {};
  const bus = await createBus({
    backend: nats({ ...place, ackWaitMs: 2_000, requestTimeoutMs: 2_000, confirmTimeoutMs: 1_000, ...options }),
    namespace,
    retry: { delayMs: 300, factor: 1, jitter: 0, attemptsMax: 3 },
  });
  closing.push(() => bus.close({ timeoutMs: 500 }));
  return bus;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("what is deleted under us", { timeout: 60_000 }, () => {
  it("is not what was never there: a pattern that a group gets later is no loss", async () => {
    const bus = await busOn(space());
    const made: string[] = [];
    bus.on("recreation", ({ what }) => void made.push(what));
    await bus.groups.define("empty", {});
    await bus.subscribe("a.b", { group: "empty" }, () => undefined);
    await bus.groups.define("known", { add: ["c.d"] });
    const seen: string[] = [];
    await bus.subscribe(["c.d", "e.#"], { group: "known" }, ({ topic }) => void seen.push(topic));
    for (const topic of ["c.d", "e", "e.f"]) await bus.publish(topic, 1);
    await until(() => seen.length === 3, "the group gets all that its patterns match");
    expect(made).toEqual([]);
  });

  for (const suffix of ["", "_inbox", "_dead"]) {
    it(`is made again: stream {ns}${suffix}`, async () => {
      const namespace = space();
      const bus = await busOn(namespace);
      const made: string[] = [];
      bus.on("recreation", ({ what }) => void made.push(what));
      const seen: unknown[] = [];
      await bus.subscribe("a.#", { group: "g" }, ({ payload }) => {
        seen.push(payload);
        if (payload === "bad") throw new Error("always");
      });
      await bus.publish("a.b", "before");
      await until(() => seen.includes("before"), "it works before");
      await manager.streams.delete(`${namespace}${suffix}`);
      await until(async () => {
        await bus.publish("a.b", "after").catch(() => undefined);
        return seen.includes("after");
      }, "it works again");
      await bus.publish("a.b", "bad", { id: "bad" });
      await until(async () => (await bus.deadLetters("g").count()) === 1, "a letter is stored again");
      expect(made.join()).toContain(`stream ${namespace}${suffix}`);
      expect((await bus.groups.get("g"))?.patterns).toEqual(["a.#"]);
    });
  }

  it("is made again: the consumer of a class of delays, and what waits there still comes", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    const attempts: number[] = [];
    await bus.subscribe("a.#", { group: "g", retry: { delayMs: 1_500 } }, (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error("once");
    });
    await bus.publish("a.b", 1);
    await until(async () => (await bus.groups.get("g"))?.delayed === 1, "it waits");
    for await (const { name } of manager.consumers.list(`${namespace}_inbox`))
      if (name.startsWith("wait+")) await manager.consumers.delete(`${namespace}_inbox`, name);
    await until(() => attempts.includes(2), "the retry comes");
  });

  it("does not make an ack fail that comes after it", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const seen: unknown[] = [];
    await bus.subscribe("a.#", { group: "g" }, async ({ payload }) => {
      seen.push(payload);
      if (payload === "held") await opened;
    });
    await bus.publish("a.b", "held");
    await until(() => seen.includes("held"), "it is held");
    await manager.consumers.delete(namespace, "g");
    open();
    await until(async () => {
      await bus.publish("a.b", "after");
      return seen.includes("after");
    }, "it goes on");
  });
});

describe("what the server allows", { timeout: 60_000 }, () => {
  it("is asked before sending: a message above max_payload is refused, and the connection lives", async () => {
    const bus = await busOn(space());
    let losses = 0;
    bus.on("connection-loss", () => void losses++);
    await expect(bus.publish("a.b", "x".repeat(1_048_577))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    // Every newline takes three bytes on the wire: the headers are within 32 KiB, the message is not within max_payload.
    const headers = { lines: "\n".repeat(30_000) };
    await expect(bus.publish("a.b", "x".repeat(990_000), { headers })).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await bus.publish("a.b", "x".repeat(990_000));
    expect(losses).toBe(0);
  });

  it("is told at once: a subject that the user may not publish on is NOT_AUTHORIZED", async () => {
    const bus = await busOn(space(), { url: `nats://127.0.0.1:${broker.port}`, ...user, inboxPrefix: "_INBOX_kit", names: { subjectPrefix: "kit" } });
    const startMs = performance.now();
    await expect(bus.publish("secret.plan", 1)).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
    expect(performance.now() - startMs).toBeLessThan(900); // before the confirm is overdue
    await bus.publish("open.plan", 1);
  });

  it("is told at once: a live subscription that the user may not have is NOT_AUTHORIZED", async () => {
    const namespace = space();
    const bus = await busOn(namespace, { url: `nats://127.0.0.1:${broker.port}`, ...user, inboxPrefix: "_INBOX_kit", names: { subjectPrefix: "kit" } });
    await bus.subscribe("open.#", {}, () => undefined);
    await expect(bus.subscribe("forbidden.#", {}, () => undefined)).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
  });

  it("is looked at: a stream that would drop messages is refused with the name of the field", async () => {
    const namespace = space();
    await manager.streams.add({ name: namespace, subjects: [`${namespace}.>`], max_age: 60_000_000_000 });
    const error = await createBus({ backend: nats({ url: broker.url }), namespace }).then(
      (bus) => bus.close(),
      (thrown: unknown) => thrown,
    );
    expect(isHalyardError(error, "INVALID_OPTIONS"), String(error)).toBe(true);
    expect(String(error)).toMatch(/retention|max_age/);
  });

  for (const field of [{ headers_only: true }, { inactive_threshold: 60_000_000_000 }, { max_deliver: 5 }] as const) {
    const [name = ""] = Object.keys(field);
    it(`is looked at: a consumer that somebody made with ${name} is refused with the name of the field`, async () => {
      const namespace = space();
      const bus = await busOn(namespace);
      await manager.consumers.add(namespace, {
        durable_name: "g",
        filter_subject: `${namespace}.a.b`,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.New,
        ...field,
      });
      const subscribing = bus.subscribe("a.b", { group: "g" }, () => undefined);
      await expect(subscribing).rejects.toMatchObject({ code: "INVALID_OPTIONS", message: expect.stringContaining(name) });
    });
  }
});

describe("a connection that is handed in", { timeout: 60_000 }, () => {
  it("is used by several buses, and never closed", async () => {
    const own = await connect({ servers: `127.0.0.1:${broker.port}`, user: "root", pass: "root", reconnect: false });
    const namespace = space();
    const [first, second] = [await busOn(namespace, { connection: own }), await busOn(namespace, { connection: own })];
    const seen: unknown[] = [];
    await first.subscribe("a.#", { group: "g" }, ({ payload }) => void seen.push(payload));
    await second.publish("a.b", 1);
    await until(() => seen.length === 1, "it arrives");
    await first.close();
    await second.close();
    expect(own.isClosed()).toBe(false);
    await own.flush();
    await own.close();
    const error = await createBus({ backend: nats({ connection: own }), namespace }).then(
      (bus) => bus.close(),
      (thrown: unknown) => thrown,
    );
    expect(isHalyardError(error, "CONNECT_FAILED"), String(error)).toBe(true);
  });
});

describe("a connection that breaks", { timeout: 60_000 }, () => {
  it("answers a settlement that waits for the server, so that its key goes on", async () => {
    const proxy = await faultProxy({ target: { port: broker.port } });
    closing.push(() => proxy.close());
    const bus = await busOn(space(), { url: `nats://root:root@127.0.0.1:${proxy.port}` });
    const seen: unknown[] = [];
    await bus.subscribe("a.#", { group: "g", ordered: true }, ({ payload }) => {
      if (seen.length === 0) proxy.stall(); // the settlement leaves, and nothing answers it
      seen.push(payload);
    });
    await bus.publish("a.b", 1, { key: "k" });
    await until(() => seen.length === 1, "the first one is handled");
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.cut();
    proxy.heal();
    await bus.publish("a.b", 2, { key: "k" });
    await until(() => seen.includes(2), "the next one of its key is handled");
  });
});

describe("what stays on the server", { timeout: 60_000 }, () => {
  it("is nothing of sessions that have ended, whatever they have moved, waited for and told", async () => {
    const namespace = space();
    for (let round = 0; round < 3; round++) {
      const bus = await busOn(namespace);
      let attempts = 0;
      await bus.subscribe("a.#", { group: "g", exclusive: round === 1 }, () => {
        if (++attempts < 2) throw new Error("once");
      });
      await bus.subscribe("b.#", { group: "h" }, () => {
        throw new Error("always");
      });
      await bus.publish("a.b", round);
      await bus.publish("b.b", round);
      await until(async () => attempts === 2 && (await bus.deadLetters("h").count()) === round + 1, "all came to its end");
      expect((await bus.deadLetters("h").list()).length).toBe(round + 1);
      await bus.health();
      await bus.close();
    }
    const left = async (): Promise<Record<string, number>> => (await manager.streams.info(`${namespace}_inbox`, { subjects_filter: ">" })).state.subjects ?? {};
    const names = ["group.g", "group.h", "ping"].map((name) => [`${namespace}_inbox.${name}`, 1]);
    await until(async () => Object.keys(await left()).length <= names.length, "the last acks are written down");
    expect(await left()).toEqual(Object.fromEntries(names));
  });

  it("is told as it is now: health looks at the streams at each call", async () => {
    const namespace = space();
    const bus = await busOn(namespace);
    expect((await bus.health()).warnings).toEqual([]);
    await manager.streams.update(namespace, { max_msg_size: 1_000 });
    expect((await bus.health()).warnings.join()).toContain("max_msg_size");
    await manager.streams.update(namespace, { max_msg_size: -1 });
    expect((await bus.health()).warnings).toEqual([]);
  });

  it("stays although the subscription says idleExpiryMs, and that is told", async () => {
    const bus = await busOn(space());
    const told: string[] = [];
    bus.on("warning", ({ text }) => void told.push(text));
    await bus.subscribe("a.#", { group: "g", idleExpiryMs: 1_000 }, () => undefined);
    expect(told.join()).toContain("idleExpiryMs");
  });
});

describe("how many wait", { timeout: 60_000 }, () => {
  it("is not known where a filter is wider than its pattern, or a message passes two, and is not made up", async () => {
    const bus = await busOn(space());
    const waitingOf = async (group: string): Promise<number | undefined> => (await bus.groups.get(group))?.waiting;
    const many = Array.from({ length: 17 }, (_, index) => `a.t${index}`);
    const groups: Readonly<Record<string, readonly string[]>> = { exact: ["a.#"], inside: ["a.#.z"], overlapping: ["a.*", "*.z"], many };
    for (const [group, add] of Object.entries(groups)) await bus.groups.define(group, { add });
    for (const topic of ["a.z", "a.b", "a.b.c", "b.z"]) await bus.publish(topic, 1);
    expect(await waitingOf("exact")).toBe(3);
    for (const group of ["inside", "overlapping", "many"]) expect(await waitingOf(group), group).toBeUndefined();
    const handled: string[] = [];
    await bus.subscribe("a.#.z", { group: "inside" }, ({ topic }) => void handled.push(topic));
    await bus.publish("a.last.z", 1);
    await until(() => handled.includes("a.last.z"), "the last one comes");
    expect(handled.sort()).toEqual(["a.last.z", "a.z"]);
  });
});

describe("a server without room", { timeout: 60_000 }, () => {
  it("lets members of its groups come, and does what waits", async () => {
    const namespace = space();
    const first = await busOn(namespace);
    await first.groups.define("g", { add: ["a.#"] });
    for (let index = 0; index < 5; index++) await first.publish("a.b", index);
    const { state } = await manager.streams.info(`${namespace}_inbox`);
    await manager.streams.update(`${namespace}_inbox`, { max_bytes: state.bytes });
    expect((await first.health()).error).toMatchObject({ code: "BACKPRESSURE" });
    const host: Host = { namespace, clientName: "second", clock: systemClock, random: Math.random, report: () => undefined };
    const never = new AbortController().signal;
    const session = await nats({ url: broker.url }).connect(host, never);
    closing.push(() => session.close());
    const group = { name: "g", from: "new", exclusive: false } as const;
    const member = await session.subscribe({ patterns: [parsePattern("a.#")], inFlightMax: 10, group }, never);
    let handled = 0;
    while (handled < 5) {
      const deliveries = await member.receive(10, never);
      await member.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
      handled += deliveries.length;
    }
  });
});

describe("a live subscription", { timeout: 60_000 }, () => {
  it("gets back what is released, holds what was not moved, and knows nothing settled twice", async () => {
    const host: Host = { namespace: space(), clientName: "live", clock: systemClock, random: Math.random, report: () => undefined };
    const never = new AbortController().signal;
    const session = await nats({ url: broker.url }).connect(host, never);
    closing.push(() => session.close());
    const live = await session.subscribe({ patterns: [parsePattern("a.#")], inFlightMax: 10, group: undefined }, never);
    connection.publish(`${host.namespace}.a.b`, "1");
    const [first] = await live.receive(10, never);
    if (first === undefined) throw new Error("nothing came");
    const { receipt, message } = first;
    expect(await live.settle([{ receipt, outcome: { type: "move", to: "inbox", message, delayMs: 0 } }])).toEqual(["failed"]);
    expect(await live.settle([{ receipt, outcome: { type: "release" } }])).toEqual(["done"]);
    expect(await live.settle([{ receipt, outcome: { type: "ack" } }])).toEqual(["stale"]);
    const [again] = await live.receive(10, never);
    expect(again?.message).toBe(message);
    expect(again?.deliveries).toBe(2);
    expect(await live.settle([{ receipt: again?.receipt, outcome: { type: "ack" } }])).toEqual(["done"]);
  });
});

describe("hostile names", { timeout: 60_000 }, () => {
  it("never reach the wire", async () => {
    let sent = "";
    const tap = createServer((client) => {
      const upstream = dial(broker.port, "127.0.0.1");
      client.on("data", (chunk: Buffer) => {
        sent += chunk.toString("latin1");
        upstream.write(chunk);
      });
      upstream.pipe(client);
      for (const end of [client, upstream]) end.on("error", () => undefined); // the other side has gone
      client.on("close", () => upstream.destroy());
    });
    await new Promise<void>((resolve) => tap.listen(0, "127.0.0.1", resolve));
    closing.push(async () => void tap.close());
    const address = tap.address();
    if (typeof address !== "object" || address === null) throw new Error("the tap has no port");
    const bus = await busOn(space(), { url: `nats://root:root@127.0.0.1:${address.port}` });
    await bus.groups.define("g", { add: ["a.#"] });
    const evil = "x\r\nPUB evil 4\r\nEVIL\r\n";
    const names = [evil, "a b", "a>", "a..b", "ov.*", "\0", "a.\u2028"];
    for (const name of names) {
      await expect(async () => bus.publish(name, 1)).rejects.toThrow();
      await expect(async () => bus.subscribe(name.replace("*", " "), {}, () => undefined)).rejects.toThrow();
      await expect(async () => bus.subscribe("a.b", { group: name }, () => undefined)).rejects.toThrow();
      await expect(async () => bus.send(name, "a.b", 1)).rejects.toThrow();
      await expect(async () => bus.publish("a.b", 1, { id: `${name} ` })).rejects.toThrow();
      await expect(async () => bus.groups.remove(name)).rejects.toThrow();
      await expect(async () => bus.deadLetters(name).count()).rejects.toThrow();
    }
    await bus
      .publish("a.b", 1, { key: evil, type: evil, source: evil, correlationId: evil, headers: { h: evil } } as Parameters<Bus["publish"]>[2])
      .catch(() => undefined);
    await bus.publish("a.b", 1, { headers: { h: evil } });
    expect(sent).not.toMatch(/^PUB evil/m);
    expect(sent).not.toMatch(/^EVIL/m);
    const commands = new Set(
      sent
        .split("\r\n")
        .map((line) => /^(PUB|HPUB|SUB|UNSUB|PING|PONG|CONNECT) ?(\S*)/.exec(line)?.[2])
        .filter((subject) => subject !== undefined),
    );
    expect([...commands].filter((subject) => /evil/.test(subject))).toEqual([]);
  });
});
