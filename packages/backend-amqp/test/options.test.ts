import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core/spi";
import { describe, it } from "vitest";
import { amqp } from "../src/index.ts";
import { type AmqpOptions, settingsOf } from "../src/options.ts";
import * as topology from "../src/topology.ts";

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
    const nodes = [{ host: "127.0.0.1", port: 5672 }];
    assert.deepEqual(place, { nodes, vhost: "/", user: "guest", password: "guest", authMechanism: "plain", tls: undefined });
    assert.deepEqual([heartbeatSeconds, queue.type, consumerTimeoutMs, history], [10, "quorum", 1_800_000, undefined]);
  });

  it("read a URL as RabbitMQ's clients do", () => {
    const { place, heartbeatSeconds, connectTimeoutMs } = settingsOf({
      url: "amqps://us%2Fer:p%40ss%3A@rabbit.example/my%2Fvhost?heartbeat=7&connection_timeout=500",
    });
    const nodes = [{ host: "rabbit.example", port: 5671 }];
    assert.deepEqual(place, { nodes, vhost: "my/vhost", user: "us/er", password: "p@ss:", authMechanism: "plain", tls: {} });
    assert.deepEqual([heartbeatSeconds, connectTimeoutMs], [7, 500]);
    assert.equal(settingsOf({ url: "amqp://localhost/" }).place.vhost, "/");
    assert.equal(settingsOf({ url: "amqp://[::1]:5673/%2f" }).place.nodes[0]?.host, "::1");
    for (const url of ["amqp://h?frameMax=8192&channelMax=100", "amqp://h?frame_max=8192&channel_max=100"])
      assert.deepEqual([settingsOf({ url }).frameMax, settingsOf({ url }).channelMax], [8_192, 100]);
  });

  it("say beside a URL what it leaves out, and may repeat it", () => {
    const { place, heartbeatSeconds } = settingsOf({
      url: "amqp://host/v?heartbeat=5",
      user: "me",
      password: "s3cret",
      vhost: "v",
      port: 99,
      heartbeatMs: 5_000,
    });
    assert.deepEqual(place, { nodes: [{ host: "host", port: 99 }], vhost: "v", user: "me", password: "s3cret", authMechanism: "plain", tls: undefined });
    assert.equal(heartbeatSeconds, 5);
    assert.deepEqual(settingsOf({ url: "amqp://h", tls: true }).place.tls, {});
    assert.equal(settingsOf({ url: "amqp://h", tls: true }).place.nodes[0]?.port, 5_671);
    assert.equal(settingsOf({ tls: false }).place.tls, undefined);
  });

  it("name the nodes of a cluster, which share everything else", () => {
    const { place } = settingsOf({ urls: ["amqp://me:s3cret@a/v", "amqp://b:5673", "amqp://c/v"] });
    const nodes = [
      { host: "a", port: 5672 },
      { host: "b", port: 5673 },
      { host: "c", port: 5672 },
    ];
    assert.deepEqual([place.nodes, place.user, place.vhost], [nodes, "me", "v"]);
    refuses({ urls: [] }, /urls must be a list/);
    refuses({ urls: ["amqp://a"], url: "amqp://b" }, /cannot be combined with url/);
    refuses({ urls: ["amqp://a"], host: "b" }, /host cannot be combined with urls/);
    refuses({ urls: ["amqp://a", "amqps://b"] }, /all begin with amqps/);
    refuses({ urls: ["amqp://a:s3cret@a", "amqp://b:s3cret@b"] }, /user differs between the urls/);
  });

  it("refuse queue arguments that would break a promise, with the reason", () => {
    for (const name of ["x-delivery-limit", "x-max-length", "x-max-length-bytes", "x-message-ttl", "x-expires", "x-max-priority"])
      refuses({ queue: { arguments: { [name]: 3 } } }, new RegExp(`queue.arguments cannot hold ${name}: .{20}`));
    for (const name of ["x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy"])
      refuses({ queue: { arguments: { [name]: "x" } } }, new RegExp(`queue.arguments cannot hold ${name}: .{20}`));
    refuses({ queue: { arguments: { "x-single-active-consumer": true } } }, /say exclusive/);
  });

  it("carry what says how queues are replicated to every durable queue, in the words of its type", () => {
    const own = { "x-quorum-initial-group-size": 5, "x-queue-leader-locator": "balanced", "x-other": 1 };
    const { queue } = settingsOf({ queue: { arguments: own } });
    const replicated = { "x-quorum-initial-group-size": 5, "x-queue-leader-locator": "balanced" };
    assert.deepEqual(queue.own, { groups: own, replicated, streams: { "x-initial-cluster-size": 5, "x-queue-leader-locator": "balanced" } });
    for (const made of [
      topology.deadArguments(queue),
      topology.waitArguments(queue, 50, "due"),
      topology.exclusiveArguments(queue),
      topology.goneArguments(queue),
    ]) {
      assert.equal(made["x-quorum-initial-group-size"], 5);
      assert.equal(made["x-delivery-limit"], 2_147_483_647);
    }
    assert.equal(topology.groupArguments(queue, undefined)["x-other"], 1);
    const classic = settingsOf({ queue: { type: "classic", arguments: own } }).queue;
    assert.deepEqual(Object.keys(topology.groupArguments(classic, undefined)), ["x-queue-type", "x-max-priority", "x-queue-leader-locator", "x-other"]);
    assert.equal(topology.deadArguments(classic)["x-quorum-initial-group-size"], 5);
  });

  it("refuse what is misspelt, out of range or said twice, and show no password", () => {
    refuses({ hots: "x" }, /hots is not an option/);
    refuses({ url: "http://user:s3cret@host" }, /url must look like/);
    refuses({ url: "amqp://user:s3cret@host:port" }, /url must look like/);
    refuses({ url: "amqp://user:s3cret%zz@host" }, /escape/);
    refuses({ url: "amqp://user:s3cret@host?hartbeat=1" }, /unknown parameter "hartbeat"/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=soon" }, /no whole number/);
    refuses({ url: "amqp://user:s3cret@host", password: "other" }, /password says something else than the url/);
    refuses({ url: "amqp://user:s3cret@host", host: "other" }, /host says something else/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=5", heartbeatMs: 6_000 }, /heartbeatMs says something else/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=0" }, /heartbeat in the url\) cannot be 0: /);
    refuses({ heartbeatMs: 0 }, /cannot be 0/);
    refuses({ url: "amqp://user:s3cret@host?frameMax=4096" }, /frameMax must be at least 8192.*4\.1/);
    refuses({ channelMax: 2 }, /channelMax must be/);
    refuses({ bodyBytesMax: 2 ** 30 }, /bodyBytesMax must be/);
    refuses({ url: "amqps://user:s3cret@host", tls: false }, /tls is false/);
    refuses({ authMechanism: "external" }, /tls\.cert/);
    refuses({ url: "amqps://host?auth_mechanism=magic" }, /authMechanism must be/);
    refuses({ port: 0 }, /port must be/);
    refuses({ prefetch: 65_536 }, /prefetch must be/);
    refuses({ heartbeatMs: 0.5 }, /heartbeatMs must be/);
    refuses({ queue: { type: "stream" } }, /queue.type/);
    refuses({ queue: { arguments: { "x-queue-type": "classic" } } }, /say queue.type/);
    refuses({ queue: { arguments: { "x-other": 1.5 } } }, /x-other must be/);
    refuses({ managementUrl: "rabbit:s3cret@host" }, /managementUrl/);
    refuses({ managementUrl: "http://rabbit:s3cret%zz@host" }, /managementUrl has a %/);
    refuses({ history: { maxAge: 1 } }, /maxAge is not an option of history/);
    refuses({ tls: { rejectUnauthorized: false } }, /cannot be switched off/);
    refuses({ exchange: "a", names: { exchange: () => "b" } }, /exchange is made by/);
    refuses({ names: { grupo: () => "b" } }, /grupo is not an option of names/);
    refuses({ connection: {}, host: "x" }, /host cannot be combined with connection/);
    refuses({ connection: {}, vhost: "x" }, /vhost is for managementUrl/);
    refuses({ connection: {}, managementUrl: "http://host" }, /vhost is needed for managementUrl/);
    refuses({ connection: { publish: {} } }, /both publish and consume/);
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
