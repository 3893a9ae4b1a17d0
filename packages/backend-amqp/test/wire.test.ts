import assert from "node:assert/strict";
import { noHeaders, type WireMessage } from "@halyard/core/spi";
import type { ConsumeMessage, MessageProperties } from "amqplib";
import { describe, it } from "vitest";
import { deliveriesBefore, dueMsOf, fromMessage, isGuessedId, timeOfId, toOptions } from "../src/wire.ts";

const now = (): number => 1_700_000_000_000;

const message = (fields: Partial<WireMessage> = {}): WireMessage => ({
  topic: "a.b",
  id: "id-1",
  timeMs: 1_700_000_000_123,
  attempt: 1,
  contentType: "application/json",
  body: Buffer.from("{}"),
  headers: noHeaders,
  priority: 4,
  persistent: true,
  ...fields,
});

const received = (properties: Partial<MessageProperties>, content: Buffer = Buffer.from("{}"), routingKey = "a.b"): ConsumeMessage => ({
  content,
  fields: { deliveryTag: 1, redelivered: false, exchange: "shop", routingKey, consumerTag: "c" },
  properties: {
    contentType: undefined, contentEncoding: undefined, headers: undefined, deliveryMode: undefined, priority: undefined, correlationId: undefined,
    replyTo: undefined, expiration: undefined, messageId: undefined, timestamp: undefined, type: undefined, userId: undefined, appId: undefined, clusterId: undefined,
    ...properties,
  }, // biome-ignore format: the fourteen properties of AMQP
});

/** What the broker hands over for what was written. */
const throughBroker = (sent: WireMessage): WireMessage => {
  const { messageId, contentType, contentEncoding, timestamp, priority, correlationId, replyTo, type, appId, headers, deliveryMode } = toOptions(
    sent,
    { saysPriority: false },
    undefined,
  );
  return fromMessage(
    received(
      { messageId, contentType, contentEncoding, timestamp, priority, correlationId, replyTo, type, appId, headers, deliveryMode },
      Buffer.from(sent.body),
      sent.topic,
    ),
    now,
  );
};

const plain = (one: WireMessage): unknown => ({
  ...Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)),
  headers: { ...one.headers },
  body: Buffer.from(one.body),
});

describe("messages as AMQP", () => {
  it("use the properties of AMQP for what they are for, and write no default", () => {
    const id = "018bcfe5-687b-7000-8000-000000000000"; // 1,700,000,000,123 ms
    assert.equal(timeOfId(id), 1_700_000_000_123);
    assert.deepEqual(toOptions(message({ id }), { saysPriority: false }, undefined), {
      messageId: id,
      contentType: "application/json",
      deliveryMode: 2,
      timestamp: 1_700_000_000,
    });
    const all = toOptions(
      message({
        contentEncoding: "gzip",
        priority: 7,
        persistent: false,
        correlationId: "c",
        replyTo: "r",
        type: "t",
        source: "s",
        key: "k",
        expiresAtMs: 5,
        notBeforeMs: 6,
        attempt: 2,
      }),
      { saysPriority: false },
      { topic: "a.b", dueMs: 9 },
    );
    assert.deepEqual({ ...all, headers: { ...all.headers } }, {
      messageId: "id-1", contentType: "application/json", contentEncoding: "gzip", deliveryMode: 1, timestamp: 1_700_000_000, priority: 7, correlationId: "c", replyTo: "r", type: "t", appId: "s",
      headers: { timestamp_in_ms: 1_700_000_000_123, "halyard-attempt": "2", "halyard-key": "k", "halyard-expires": "5", "halyard-not-before": "6", "halyard-topic": "a.b", "halyard-due": "9" },
    }); // biome-ignore format: properties, then headers
    assert.equal(toOptions(message(), { saysPriority: true }, undefined).priority, 4, "queues with levels must hear the default");
  });

  it("come back as they were sent, whatever they hold", () => {
    const texts = ["", " x ", "ü€😀", "\n\r\0", "__proto__", "x".repeat(300), "0", "null"];
    const headerNames = [
      "a",
      "__proto__",
      "constructor",
      "x-death",
      "x-delivery-count",
      "x-first-death-queue",
      "timestamp_in_ms",
      "content-type",
      "x-own",
      "cc",
    ];
    let seed = 3;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const pick = <Item>(list: readonly Item[]): Item => list[Math.floor(random() * list.length)] as Item; // no list is empty
    for (let round = 0; round < 2_000; round++) {
      const headers = Object.create(null) as Record<string, string>;
      for (const name of headerNames) if (random() < 0.3) headers[name] = pick(texts);
      const sent = message({
        id: pick(["id-1", "018bcfe5-687b-7000-8000-000000000000", "a".repeat(128), "x/y:z_1"]),
        timeMs: pick([0, 1, 999, 1_000, 1_700_000_000_000, 1_700_000_000_123, 4_000_000_000_001]),
        attempt: pick([1, 2, 77]),
        contentType: pick(["application/json", "text/plain"]),
        body: Buffer.from(pick(texts)),
        headers: Object.keys(headers).length === 0 ? noHeaders : headers,
        priority: Math.floor(random() * 10),
        persistent: random() < 0.5,
        ...(random() < 0.5 ? { key: pick(texts), type: pick(texts), source: pick(texts), correlationId: pick(texts), replyTo: pick(texts) } : {}),
        ...(random() < 0.5 ? { expiresAtMs: 4_000_000_000_123, notBeforeMs: 1_700_000_000_456 } : {}),
        ...(random() < 0.5 ? { contentEncoding: "gzip" } : {}),
      });
      assert.deepEqual(plain(throughBroker(sent)), plain(sent));
    }
  });

  it("of other programs become something sane", () => {
    const read = fromMessage(received({}), now);
    assert.deepEqual(
      [read.topic, read.timeMs, read.attempt, read.contentType, read.priority, read.persistent, read.headers],
      ["a.b", now(), 1, "application/json", 4, true, noHeaders],
    );
    const odd = fromMessage(
      received({
        messageId: "not an id!",
        timestamp: 1_700_000_000_123, // milliseconds where seconds belong
        priority: 250,
        deliveryMode: 1,
        headers: {
          "X-Trace": "t",
          count: 7,
          ok: true,
          table: { a: 1 },
          list: [1],
          bytes: Buffer.from("x"),
          "bad name": "x",
          "halyard-attempt": "-3",
          "halyard-expires": "soon",
          nothing: null,
          "x-death": [],
        },
      }),
      now,
    );
    assert.deepEqual({ ...odd.headers }, { "x-trace": "t", count: "7", ok: "true" });
    assert.deepEqual([odd.timeMs, odd.priority, odd.attempt, odd.expiresAtMs, odd.persistent], [1_700_000_000_123, 9, 1, undefined, false]);
  });

  it("without an id are named by what they hold, the same at every redelivery", () => {
    const first = received({}, Buffer.from("one"));
    const again = { ...received({}, Buffer.from("one")), fields: { ...first.fields, deliveryTag: 9, redelivered: true } };
    assert.equal(fromMessage(first, now).id, fromMessage(again, now).id);
    assert.notEqual(fromMessage(first, now).id, fromMessage(received({}, Buffer.from("two")), now).id);
    assert.match(fromMessage(first, now).id, /^foreign-[A-Za-z0-9_-]{22}$/);
    assert.deepEqual([isGuessedId(first), isGuessedId(received({ messageId: "x" })), isGuessedId(received({ messageId: "no id" }))], [true, false, true]);
  });

  it("never make the reader throw", () => {
    const values: readonly unknown[] = [
      undefined,
      null,
      "",
      "x",
      0,
      -1,
      1e308,
      Number.NaN,
      true,
      [],
      {},
      { "!": "timestamp", value: 1 },
      Buffer.from("x"),
      Object.create(null),
      "9".repeat(400),
    ];
    const fields = [
      "messageId",
      "timestamp",
      "contentType",
      "contentEncoding",
      "priority",
      "deliveryMode",
      "correlationId",
      "replyTo",
      "type",
      "appId",
      "expiration",
    ];
    const names = [
      "halyard-topic",
      "halyard-attempt",
      "halyard-key",
      "halyard-expires",
      "halyard-not-before",
      "halyard-due",
      "timestamp_in_ms",
      "x-delivery-count",
      "__proto__",
      "a",
      "halyard-header-",
      "halyard-header-bad name",
    ];
    for (const value of values) {
      const headers = Object.create(null) as Record<string, unknown>;
      for (const name of names) headers[name] = value;
      const one = received({ ...Object.fromEntries(fields.map((name) => [name, value])), headers });
      const read = fromMessage(one, now);
      assert.ok(
        typeof read.id === "string" && typeof read.topic === "string" && Number.isFinite(read.timeMs) && read.attempt >= 1 && read.priority >= 0,
        typeof value,
      );
      assert.ok(deliveriesBefore(one) >= 0);
      dueMsOf(one);
    }
  });

  it("with more headers than anybody can store keep what fits into a copy", () => {
    const headers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`h${index}`, "x".repeat(1_000)]));
    const read = fromMessage(received({ headers }), now);
    const bytes = Object.entries(read.headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    assert.ok(bytes > 33 * 1024 && bytes <= 40 * 1024);
  });
});
