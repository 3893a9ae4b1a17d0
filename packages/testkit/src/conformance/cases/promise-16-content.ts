/** Promise 16: headers, times and bodies arrive as they were sent; what is too large is refused before any I/O. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { WireMessage } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { accepts, lettersOf, moveTo, pull, receivesOne, settles } from "../pull.ts";
import { numbers, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

/** Values that brokers are known to trim, fold, decode or choke on. */
const awkwardHeaders: Readonly<Record<string, string>> = {
  empty: "",
  spaces: "  both ends  ",
  tab: "\ttab\t",
  lines: "first\r\nsecond: injected\n\nthird",
  percent: "100%41%zz%",
  encoded: "=?utf-8?q?word?=",
  unicode: "Größe 漢字 🚀 e\u0301 \u200b\u2028",
  controls: "\u0000\u0001\u007f\u0085",
  comma: 'a,b;c="d"',
  long: "x".repeat(8_000),
  constructor: "just a header",
  "0": "a number for a name",
  "a-b_c": "all characters of names",
};

const fields: Partial<WireMessage> = {
  id: "Id:with/all.kinds_of-chars",
  timeMs: 1_700_000_000_123,
  attempt: 3,
  contentType: "application/x-test",
  contentEncoding: "x-none",
  priority: 9,
  persistent: false,
  key: "key ü \n",
  type: "type ü",
  source: "source ü",
  correlationId: "correlation ü",
  replyTo: "replies",
  expiresAtMs: 4_000_000_000_123,
};

const plain = (message: WireMessage): Record<string, unknown> => {
  const { body, headers, value: _, ...rest } = message;
  // The broker's own bookkeeping may add fields that are undefined; `persistent` is a wish.
  const known = Object.fromEntries(Object.entries(rest).filter(([name, value]) => value !== undefined && name !== "persistent"));
  return { ...known, body: Buffer.from(body).toString("hex"), headers: { ...headers } };
};

export const contentCases: readonly ConformanceCase[] = [
  {
    promise: 16,
    title: "headers survive with any Unicode value",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder((_, { attempt }) => {
        if (attempt === 1) throw new Error("once through the inbox as well");
      });
      await bus.subscribe("c.#", { group: "g" }, inbox.handle);
      const headers = Object.assign(Object.create(null) as Record<string, string>, awkwardHeaders);
      Object.defineProperty(headers, "__proto__", { value: "just a header too", enumerable: true });
      await bus.publish("c.one", 1, { headers });
      await world.until(() => inbox.seen.length >= 2, "it arrives, and again as a retry");
      for (const { message } of inbox.seen) {
        assert.deepEqual(Object.keys(message.headers).sort(), Object.keys(headers).sort());
        for (const name of Object.keys(headers)) assert.equal(message.headers[name], headers[name], `header ${name}`);
      }
    },
  },
  {
    promise: 16,
    title: "every field arrives as it was sent, from the topic, the inbox and the dead letters",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "c.#", { group: "g" });
      const sent = wire("c.one", { n: 1 }, { ...fields, headers: awkwardHeaders });
      await accepts(session, [sent]);
      const first = await receivesOne(subscription);
      assert.deepEqual(plain(first.message), plain(sent), "from the topic");
      const moved = { ...first.message, attempt: 4, notBeforeMs: 1_700_000_000_456 };
      await settles(subscription, first, moveTo("inbox", moved));
      const second = await receivesOne(subscription);
      assert.deepEqual(plain(second.message), plain(moved), "from the inbox");
      await settles(subscription, second, moveTo("dead-letters", moved));
      const [letter] = await lettersOf(session, "g");
      assert.deepEqual(letter && plain(letter), plain(moved), "from the dead letters");
    },
  },
  {
    promise: 16,
    title: "a message with nothing but its topic, id and body arrives with the defaults",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const live = await pull(session, "c.#", {});
      const sent = wire("c.one", "x");
      await accepts(session, [sent]);
      const { message } = await receivesOne(live);
      assert.deepEqual(plain(message), plain(sent));
      assert.equal(message.persistent, true);
    },
  },
  {
    promise: 16,
    title: "bodies of 0 bytes, of every byte and of 1,000,000 bytes arrive unharmed",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "c.#", { group: "g" });
      const large = Buffer.from(numbers(1_000_000).map((index) => (index * 7 + (index >> 8)) & 255));
      const bodies = [Buffer.alloc(0), Buffer.from(numbers(256)), Buffer.from("\r\n\r\n\0"), large];
      for (const body of bodies) {
        await accepts(session, [wire("c.one", 0, { body, contentType: "application/octet-stream" })]);
        const delivery = await receivesOne(subscription);
        assert.ok(Buffer.from(delivery.message.body).equals(body), `a body of ${body.byteLength} bytes`);
        await settles(subscription, delivery);
      }
    },
  },
  {
    promise: 16,
    title: "payloads arrive as they were published, compressed or not, and times to the millisecond",
    kind: "normal",
    async run(world) {
      const plainBus = await world.bus();
      const gzipBus = await world.bus({ compression: { name: "gzip", thresholdBytes: 100 }, source: "kit" });
      const inbox = recorder();
      await plainBus.subscribe("c.#", { group: "g", concurrency: 1 }, inbox.handle);
      const payloads = [null, 0, "", "ü🚀", [], {}, { deep: { list: [1, "two", null, { three: true }] } }, "y".repeat(1_000_000)];
      const beforeMs = Date.now();
      for (const payload of payloads) await gzipBus.publish("c.one", payload, { type: "t", correlationId: "c" });
      await world.until(() => inbox.seen.length >= payloads.length, "all arrive");
      assert.deepEqual(inbox.payloads(), payloads);
      for (const { message } of inbox.seen) {
        assert.ok(Number.isInteger(message.timeMs) && message.timeMs >= beforeMs - 1 && message.timeMs <= Date.now() + 1, `timeMs ${message.timeMs}`);
        assert.deepEqual([message.source, message.type, message.correlationId], ["kit", "t", "c"]);
      }
    },
  },
  {
    promise: 16,
    title: "too large a body or too many headers are refused before any I/O",
    kind: "limit",
    absence: "moot",
    needs: ({ carriesValues }) => (carriesValues ? "payloads are handed over by reference and have no size" : undefined),
    async run(world) {
      const bus = await world.bus({ limits: { bodyBytesMax: 2_000 } });
      const wide = await world.bus({ limits: { bodyBytesMax: Number.MAX_SAFE_INTEGER } });
      const inbox = recorder();
      await bus.subscribe("c.#", { group: "g" }, inbox.handle);
      await assert.rejects(
        async () => bus.publish("c.one", "x".repeat(2_000)),
        (error) => isHalyardError(error, "PAYLOAD_TOO_LARGE"),
      );
      const { bodyBytesMax } = world.capabilities;
      if (bodyBytesMax <= 64 * 1024 * 1024) {
        await assert.rejects(
          async () => wide.publish("c.one", "x".repeat(bodyBytesMax)),
          (error) => isHalyardError(error, "PAYLOAD_TOO_LARGE"),
          "the broker's own limit",
        );
      }
      // Nothing may have been sent: the connection is as good as before.
      await bus.publish("c.one", "x".repeat(1_990));
      await world.until(() => inbox.seen.length === 1, "what fits arrives");
    },
  },
  {
    promise: 16,
    title: "headers of 32 KiB together arrive, one byte more is HEADERS_TOO_LARGE, bad names are INVALID_HEADER",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("c.#", { group: "g" }, inbox.handle);
      const most = Object.fromEntries(numbers(4).map((index) => [`h${index}`, "x".repeat(8 * 1024 - 2)]));
      await bus.publish("c.one", 1, { headers: most });
      await assert.rejects(
        async () => bus.publish("c.one", 2, { headers: { ...most, h: "" } }),
        (error) => isHalyardError(error, "HEADERS_TOO_LARGE"),
      );
      for (const name of ["", "Upper", "with space", "with.dot", "ü", "halyard-own", "x".repeat(65)]) {
        await assert.rejects(
          async () => bus.publish("c.one", 3, { headers: { [name]: "x" } }),
          (error) => isHalyardError(error, "INVALID_HEADER"),
          name,
        );
      }
      await world.until(() => inbox.seen.length >= 1, "the allowed one arrives");
      assert.deepEqual({ ...inbox.seen[0]?.message.headers }, most);
    },
  },
];
