import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core/spi";
import { describe, it } from "vitest";
import { amqp } from "../src/index.ts";
import { type AmqpOptions, settingsOf } from "../src/options.ts";

const refuses = (options: unknown, text: RegExp): void => {
  assert.throws(
    () => amqp(options as AmqpOptions),
    (error) => isHalyardError(error, "INVALID_OPTIONS") && text.test(error.message) && !error.message.includes("s3cret"),
    String(text),
  );
};

describe("options of amqp()", () => {
  it("have RabbitMQ's defaults", () => {
    const { place, heartbeatSeconds, queue, consumerTimeoutMs, history } = settingsOf({});
    assert.deepEqual(place, { host: "127.0.0.1", port: 5672, vhost: "/", user: "guest", password: "guest", tls: undefined });
    assert.deepEqual([heartbeatSeconds, queue.type, consumerTimeoutMs, history], [10, "quorum", 1_800_000, undefined]);
  });

  it("read a URL as RabbitMQ's clients do", () => {
    const { place, heartbeatSeconds, connectionTimeoutMs } = settingsOf({
      url: "amqps://us%2Fer:p%40ss%3A@rabbit.example/my%2Fvhost?heartbeat=7&connection_timeout=500",
    });
    assert.deepEqual(place, { host: "rabbit.example", port: 5671, vhost: "my/vhost", user: "us/er", password: "p@ss:", tls: {} });
    assert.deepEqual([heartbeatSeconds, connectionTimeoutMs], [7, 500]);
    assert.equal(settingsOf({ url: "amqp://localhost/" }).place.vhost, "/");
    assert.equal(settingsOf({ url: "amqp://[::1]:5673/%2f" }).place.host, "::1");
  });

  it("refuse what is misspelt, out of range or said twice, and show no password", () => {
    refuses({ hots: "x" }, /hots is not an option/);
    refuses({ url: "http://user:s3cret@host" }, /url must look like/);
    refuses({ url: "amqp://user:s3cret@host:port" }, /url must look like/);
    refuses({ url: "amqp://user:s3cret%zz@host" }, /escape/);
    refuses({ url: "amqp://user:s3cret@host?hartbeat=1" }, /unknown parameter "hartbeat"/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=soon" }, /no whole number/);
    refuses({ url: "amqp://user:s3cret@host", password: "s3cret" }, /password is said by url/);
    refuses({ port: 0 }, /port must be/);
    refuses({ prefetch: 65_536 }, /prefetch must be/);
    refuses({ heartbeatMs: 0.5 }, /heartbeatMs must be/);
    refuses({ queue: { type: "stream" } }, /queue.type/);
    refuses({ queue: { arguments: { "x-queue-type": "classic" } } }, /say queue.type/);
    refuses({ queue: { arguments: { "x-max-length": 1.5 } } }, /x-max-length/);
    refuses({ managementUrl: "rabbit:s3cret@host" }, /managementUrl/);
    refuses({ history: { maxAge: 1 } }, /maxAge is not an option of history/);
    refuses({ tls: { rejectUnauthorized: false } }, /cannot be switched off/);
    refuses({ exchange: "a", names: { exchange: () => "b" } }, /exchange is made by/);
    refuses({ names: { grupo: () => "b" } }, /grupo is not an option of names/);
    refuses({ connection: {}, host: "x" }, /host cannot be combined with connection/);
    refuses(null, /takes an object/);
  });

  it("name the bad name that a function made before it is used", async () => {
    const { namesOf } = await import("../src/names.ts");
    const { names } = settingsOf({ names: { group: (namespace, group) => `${namespace}/${group}`, dead: () => "x".repeat(256), wait: () => "amq.wait" } });
    assert.throws(() => namesOf(names, "shop"), /names.wait made "amq.wait"/);
    const made = namesOf({ ...names, wait: () => "wait" }, "shop");
    assert.equal(made.group("g"), "shop/g");
    assert.throws(() => made.dead("g"), /names.dead made/);
  });
});
