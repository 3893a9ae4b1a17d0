/** What RabbitMQ does in its own way, and what we do about it. What every backend must do is in the conformance suite. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BackendEvent,
  type BackendSubscription,
  type Delivery,
  type Host,
  isHalyardError,
  noHeaders,
  parsePattern,
  type Session,
  systemClock,
  type WireMessage,
} from "@halyard/core/spi";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { connect } from "amqplib";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { type AmqpOptions, amqp } from "../src/index.ts";
import { manage, sweep } from "./rabbitmq.ts";

const never = new AbortController().signal;
let broker: RabbitmqBroker;
let namespace = "";
let names = 0;
const sessions: Session[] = [];
const events: BackendEvent[] = [];

beforeAll(async () => {
  broker = await startRabbitmq();
}, 90_000);
afterAll(async () => broker?.stop());
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
  events.length = 0;
  if (namespace !== "") await sweep(broker, namespace);
  namespace = "";
});

const hostOf = (clientName: string): Host => ({ namespace, clientName, clock: systemClock, random: Math.random, report: (event) => void events.push(event) });

async function open(options: AmqpOptions = {}): Promise<Session> {
  if (namespace === "") namespace = `kit-${Date.now().toString(16)}${++names}`;
  const session = await amqp({ ...(options.connection === undefined && options.user === undefined ? { url: broker.url } : {}), ...options }).connect(
    hostOf(`quirk-${++names}`),
    never,
  );
  sessions.push(session);
  return session;
}

const wire = (topic: string, text: string, fields: Partial<WireMessage> = {}): WireMessage => ({
  topic,
  id: `${topic}-${text}`,
  timeMs: Date.now(),
  attempt: 1,
  contentType: "text/plain",
  body: Buffer.from(text),
  headers: noHeaders,
  priority: 4,
  persistent: true,
  ...fields,
});
const textOf = ({ message }: Delivery): string => Buffer.from(message.body).toString();

async function join(
  session: Session,
  inFlightMax = 10,
  group: Partial<{ readonly exclusive: boolean; readonly idleExpiryMs: number }> = {},
): Promise<BackendSubscription> {
  const subscription = await session.subscribe(
    { patterns: [parsePattern("q.#")], inFlightMax, group: { name: "g", from: "new", exclusive: false, ...group } },
    never,
  );
  subscription.credit(inFlightMax);
  return subscription;
}

async function accepts(
  session: Session,
  messages: readonly WireMessage[],
  target?: { readonly group: string } | { readonly deadLetters: string },
): Promise<void> {
  assert.equal(await session.publish(messages, { signal: never, target }), undefined);
}

async function receives(subscription: BackendSubscription, count: number): Promise<readonly Delivery[]> {
  const received: Delivery[] = [];
  const deadline = AbortSignal.timeout(10_000);
  while (received.length < count && !deadline.aborted) received.push(...(await subscription.receive(count - received.length, deadline)));
  assert.equal(received.length, count, `${received.length} of ${count} came`);
  return received;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const untilMs = Date.now() + 10_000; !(await condition()); await sleep(5)) assert.ok(Date.now() < untilMs, `not within 10 s: ${what}`);
}

describe("RabbitMQ", () => {
  it("closes a channel with 404 or 406, and the rest of the session goes on", async () => {
    const session = await open();
    const subscription = await join(session);
    assert.equal(await session.admin.group("missing", never), undefined);
    assert.equal(await session.deadLetters.count("missing", never), 0);
    await accepts(session, [wire("q.one", "1")]);
    assert.equal(textOf((await receives(subscription, 1))[0] as Delivery), "1");
  });

  it("counts what is given back, and puts it back at its old place", async () => {
    const session = await open();
    const subscription = await join(session, 20);
    const texts = Array.from({ length: 25 }, (_, index) => String(index));
    await accepts(
      session,
      texts.map((text) => wire("q.one", text)),
    );
    const first = await receives(subscription, 20);
    assert.ok(first.every(({ deliveries }) => deliveries === 1));
    await subscription.settle(first.map(({ receipt }) => ({ receipt, outcome: { type: "release" } })));
    const again = await receives(subscription, 20);
    assert.deepEqual(again.map(textOf), texts.slice(0, 20));
    assert.ok(
      again.every(({ deliveries }) => deliveries === 2),
      "3.10 counts nacks",
    );
  });

  it("keeps the order of a topic while credit is added under load", async () => {
    const session = await open();
    const subscription = await session.subscribe(
      { patterns: [parsePattern("q.#")], inFlightMax: 100, group: { name: "g", from: "new", exclusive: false } },
      never,
    );
    const count = 4_000;
    const publishing = (async () => {
      for (let from = 0; from < count; from += 100)
        await accepts(
          session,
          Array.from({ length: 100 }, (_, index) => wire("q.one", String(from + index))),
        );
    })();
    const seen: string[] = [];
    for (let round = 0; seen.length < count; round++) {
      if (round % 20 === 0) subscription.credit([2, 7, 33, 64, 100][round / 20] ?? 100);
      const deliveries = await subscription.receive(20, AbortSignal.timeout(10_000));
      assert.ok(deliveries.length > 0, `nothing comes after ${seen.length}`);
      seen.push(...deliveries.map(textOf));
      await subscription.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
    }
    await publishing;
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, index) => String(index)),
    );
  });

  it("loses nothing when credit is taken away under load: what was on its way goes back and comes again", async () => {
    const session = await open();
    const subscription = await join(session, 64);
    const count = 3_000;
    const publishing = (async () => {
      for (let from = 0; from < count; from += 100)
        await accepts(
          session,
          Array.from({ length: 100 }, (_, index) => wire("q.one", String(from + index))),
        );
    })();
    const seen: string[] = [];
    for (let round = 0; seen.length < count; round++) {
      subscription.credit([64, 1, 7, 0, 33, 2][round % 6] as number); // an index of this list
      if (round % 6 === 3) subscription.credit(5);
      const deliveries = await subscription.receive(20, AbortSignal.timeout(10_000));
      assert.ok(deliveries.length > 0, `nothing comes after ${seen.length}`);
      seen.push(...deliveries.map(textOf));
      await subscription.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
    }
    await publishing;
    assert.equal(new Set(seen).size, count);
  });

  it("has its consumers' credit add up to what was given, however it changed", async () => {
    const session = await open();
    const subscription = await join(session, 40);
    await accepts(
      session,
      Array.from({ length: 100 }, (_, index) => wire("q.one", String(index))),
    );
    const held = [...(await receives(subscription, 40))];
    for (const credit of [1, 5, 0, 40, 3, 20, 40]) subscription.credit(credit);
    for (const { receipt } of held.splice(0)) await subscription.settle([{ receipt, outcome: { type: "ack" } }]);
    held.push(...(await receives(subscription, 40)));
    await until(async () => (await session.admin.group("g", never))?.waiting === 20, "40 are held, no more and no less");
  });

  it("refuses a queue that exists with other arguments, and the error names the argument", async () => {
    const session = await open();
    await manage(broker, "PUT", `queues/%2F/${namespace}.group.g`, { durable: true, arguments: { "x-queue-type": "quorum", "x-max-length": 5 } });
    const joining = session.subscribe({ patterns: [parsePattern("q.#")], inFlightMax: 1, group: { name: "g", from: "new", exclusive: false } }, never);
    await assert.rejects(
      joining,
      (error) => isHalyardError(error, "INVALID_OPTIONS") && error.message.includes("x-") && typeof error.details.argument === "string",
    );
    await session.admin.ping(never);
  });

  it("lets whoever creates a group say how long it may idle", async () => {
    const session = await open();
    await join(session, 1, { idleExpiryMs: 60_000 });
    await join(session, 1, { idleExpiryMs: 30_000 });
    await join(session, 1);
  });

  it("removes an idle group, but none whose only member is paused", async () => {
    const session = await open();
    const subscription = await join(session, 1, { idleExpiryMs: 800 });
    subscription.credit(0);
    await sleep(1_500); // nearly twice as long as the broker would wait
    assert.ok(await session.admin.group("g", never));
    await subscription.close();
    await until(async () => (await session.admin.group("g", never)) === undefined, "the broker removes it");
  });

  it("hands on messages of other programs, whatever their headers", async () => {
    const session = await open();
    const subscription = await join(session);
    const foreign = await connect(broker.url);
    const channel = await foreign.createConfirmChannel();
    const headers = {
      "X-Kind": "foreign",
      n: 1,
      list: [1, { a: 2 }],
      when: { "!": "timestamp", value: 5 },
      bytes: Buffer.from([0, 255]),
      "halyard-expires": "never",
      "x-delivery-count": 99,
    };
    channel.publish(namespace, "q.foreign", Buffer.from("1"), { headers, messageId: "no id", timestamp: 2 ** 40, priority: 255, type: "t" });
    channel.publish(namespace, "q.not a topic!", Buffer.from("2"));
    channel.publish(namespace, "q.plain", Buffer.alloc(0));
    await channel.waitForConfirms();
    await foreign.close();
    const deliveries = await receives(subscription, 3);
    assert.deepEqual(
      deliveries.map(({ message }) => message.topic),
      ["q.foreign", "q.not a topic!", "q.plain"],
    );
    assert.deepEqual({ ...deliveries[0]?.message.headers }, { "x-kind": "foreign", n: "1" });
    assert.equal(deliveries[0]?.deliveries, 1, "the sender's x-delivery-count is not the broker's");
    for (const { message, receipt } of deliveries) {
      const outcome = { type: "move", to: "dead-letters", message, delayMs: 0 } as const;
      assert.equal(await subscription.settle([{ receipt, outcome }]), undefined);
    }
    assert.equal(await session.deadLetters.count("g", never), 3);
  });

  it("keeps two letters apart that came without an id and hold the same", async () => {
    const session = await open();
    const subscription = await join(session);
    const foreign = await connect(broker.url);
    const channel = await foreign.createConfirmChannel();
    for (let time = 0; time < 2; time++) channel.publish(namespace, "q.foreign", Buffer.from("same"));
    await channel.waitForConfirms();
    await foreign.close();
    for (const { message, receipt } of await receives(subscription, 2))
      await subscription.settle([{ receipt, outcome: { type: "move", to: "dead-letters", message, delayMs: 0 } }]);
    const ids = new Set<string>();
    await session.deadLetters.walk("g", { pageMax: 10, signal: never }, async (page) => {
      for (const { id } of page) ids.add(id);
      return [];
    });
    assert.equal(ids.size, 2);
  });

  it("passes a long wait through the ladder again, unseen by the member", async () => {
    const session = await open();
    const subscription = await join(session, 1);
    await accepts(session, [wire("q.late", "late")], { group: "g" });
    const [delivery] = await receives(subscription, 1);
    assert.ok(delivery);
    await subscription.settle([{ receipt: delivery.receipt, outcome: { type: "ack" } }]);
    const foreign = await connect(broker.url);
    const channel = await foreign.createConfirmChannel();
    const dueMs = Date.now() + 600;
    // As it comes out of a pass of the ladder that was not its last.
    channel.sendToQueue(`${namespace}.group.g`, Buffer.from("on the way"), {
      messageId: "m",
      headers: { "halyard-topic": "q.late", "halyard-due": String(dueMs) },
    });
    await channel.waitForConfirms();
    await foreign.close();
    await accepts(session, [wire("q.other", "other")]);
    const other = await receives(subscription, 1);
    assert.deepEqual(other.map(textOf), ["other"], "it took the only credit");
    await subscription.settle(other.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
    const [late] = await receives(subscription, 1);
    assert.ok(late && Date.now() >= dueMs, "it came early");
    assert.deepEqual([late.message.topic, late.message.id, late.message.attempt, { ...late.message.headers }], ["q.late", "m", 1, {}]);
  });

  it("keeps the order of more letters than one fetch holds, and others count them right meanwhile", async () => {
    const session = await open();
    const other = await open();
    const texts = Array.from({ length: 700 }, (_, index) => String(index));
    await accepts(
      session,
      texts.map((text) => wire("q.one", text)),
      { deadLetters: "g" },
    );
    for (let time = 0; time < 2; time++) {
      const seen: string[] = [];
      await session.deadLetters.walk("g", { pageMax: 50, signal: never }, async (page) => {
        seen.push(...page.map(({ body }) => Buffer.from(body).toString()));
        if (seen.length % 250 === 0) assert.equal(await other.deadLetters.count("g", never), 700, "from outside");
        if (seen.length % 250 === 0) assert.equal(await session.deadLetters.count("g", never), 700, "from the walker's session");
        return [];
      });
      assert.deepEqual(seen, texts);
    }
    assert.equal(await other.deadLetters.count("g", never), 700);
  });

  it("loses no ack in a burst before closing", async () => {
    const session = await open();
    await session.admin.defineGroup("g", { add: [parsePattern("q.#")], drop: [] }, never);
    await accepts(
      session,
      Array.from({ length: 200 }, (_, index) => wire("q.one", String(index))),
    );
    const subscription = await join(session, 200);
    const held = await receives(subscription, 200);
    const isKept = (index: number): boolean => index % 2 === 0;
    await subscription.settle(held.map(({ receipt }, index) => ({ receipt, outcome: isKept(index) ? { type: "release" } : { type: "ack" } })));
    subscription.credit(0);
    await subscription.close();
    await until(async () => ((await session.admin.group("g", never))?.waiting ?? 0) >= 100, "what was given back is there");
    assert.equal((await session.admin.group("g", never))?.waiting, 100);
  });

  it("hands a live delivery that is given back over again, within the buffer, and refuses to move one", async () => {
    const session = await open();
    const live = await session.subscribe({ patterns: [parsePattern("q.#")], inFlightMax: 2, group: undefined }, never);
    await accepts(session, [wire("q.one", "1")]);
    const [first] = await receives(live, 1);
    assert.ok(first);
    assert.equal(await live.settle([{ receipt: first.receipt, outcome: { type: "release" } }]), undefined);
    assert.deepEqual(await live.settle([{ receipt: first.receipt, outcome: { type: "ack" } }]), ["stale"]);
    const [again] = await receives(live, 1);
    assert.ok(again);
    assert.deepEqual([textOf(again), again.deliveries], ["1", 2]);
    const move = { type: "move", to: "inbox", message: again.message, delayMs: 0 } as const;
    assert.deepEqual(await live.settle([{ receipt: again.receipt, outcome: move }]), ["failed"]);
    await accepts(session, [wire("q.one", "2"), wire("q.one", "3"), wire("q.one", "4")]);
    await until(() => events.some(({ type }) => type === "gap"), "the buffer holds two, the oldest went");
    assert.deepEqual((await receives(live, 2)).map(textOf), ["3", "4"]);
  });

  it("ends the session when its exchange is deleted, says so, and binds the groups again in the next", async () => {
    const session = await open();
    await join(session);
    await manage(broker, "DELETE", `exchanges/%2F/${namespace}`);
    await session.publish([wire("q.one", "lost")], { signal: never }).catch(() => undefined);
    assert.ok(await session.closed);
    assert.ok(events.some(({ type }) => type === "recreated"));
    const next = await open();
    const subscription = await join(next);
    await accepts(next, [wire("q.one", "flows")]);
    assert.deepEqual((await receives(subscription, 1)).map(textOf), ["flows"]);
  });

  it("lists groups with their patterns where the management plugin may be asked", async () => {
    const session = await open({ managementUrl: broker.managementUrl });
    await session.admin.defineGroup("g", { add: [parsePattern("a.*"), parsePattern("b")], drop: [] }, never);
    await session.admin.defineGroup("h", { add: [], drop: [] }, never);
    const groups = (await session.admin.groups(never)) ?? [];
    assert.deepEqual(groups.map(({ name, patterns }) => [name, [...(patterns ?? [])].sort()]).sort(), [
      ["g", ["a.*", "b"]],
      ["h", []],
    ]);
    assert.ok((await session.admin.warnings(never)).every((text) => !text.includes("memory")));
  });

  it("is used over a connection that was handed in, which stays open", async () => {
    const model = await connect(broker.url);
    const before = model.listenerCount("error");
    const session = await open({ connection: model });
    const subscription = await join(session);
    await accepts(session, [wire("q.one", "1")]);
    await receives(subscription, 1);
    await session.close();
    assert.equal(model.listenerCount("error"), before);
    const channel = await model.createChannel();
    await channel.close();
    const next = await open({ connection: async () => model });
    await next.admin.ping(never);
    await model.close();
    assert.ok(await next.closed, "the session ends with its connection");
  });

  it("says what a user may not do, and shows no password", async () => {
    const password = "quirk-S3cret";
    await broker.createUser({ name: "nobody", password, permissions: { configure: "^$", write: "^$", read: "^$" } });
    const place = { host: broker.host, port: broker.port, user: "nobody", password };
    await assert.rejects(
      open(place),
      (error) => isHalyardError(error, "NOT_AUTHORIZED") && /exchange/.test(error.message) && !JSON.stringify(error).includes(password),
    );
    await assert.rejects(open({ ...place, vhost: "missing" }), (error) => isHalyardError(error, "NOT_AUTHORIZED") && error.message.includes('"missing"'));
    await assert.rejects(open({ ...place, password: "wrong" }), (error) => isHalyardError(error, "AUTH_FAILED") && !error.message.includes("wrong"));
    await assert.rejects(open({ ...place, port: 1 }), (error) => isHalyardError(error, "CONNECT_FAILED") && error.retryable);
  });

  it("gives up connecting when told, and leaves no socket behind", async () => {
    const { createServer } = await import("node:net");
    const sockets = new Set<unknown>();
    const server = createServer((socket) => {
      sockets.add(socket.resume());
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const controller = new AbortController();
    const connecting = amqp({ host: "127.0.0.1", port }).connect({ ...hostOf("silent"), namespace: "kit-silent" }, controller.signal);
    await until(() => sockets.size === 2, "both connections are made");
    controller.abort();
    await assert.rejects(connecting, (error) => isHalyardError(error, "ABORTED"));
    await until(() => sockets.size === 0, "both are gone");
    server.close();
  });
});
