import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isHalyardError } from "@halyard/core/spi";
import { describe, it } from "vitest";
import { amqp } from "../src/index.ts";
import { type AmqpOptions, settingsOf } from "../src/options.ts";
import * as topology from "../src/topology.ts";

const refuses = (options: unknown, text: RegExp): void => {
  assert.throws(
    () => amqp(options as AmqpOptions),
    (error) => isHalyardError(error, "INVALID_OPTIONS") && text.test(error.message) && !inspect(error, { depth: 8 }).includes("s3cret"),
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
    assert.deepEqual(settingsOf({ tls: { servername: "a", minVersion: "TLSv1.3" } }).place.tls, { servername: "a", minVersion: "TLSv1.3" });
    const external = settingsOf({ url: "amqps://h?auth_mechanism=EXTERNAL", tls: { cert: "c", key: "k" }, authMechanism: "external" });
    assert.equal(external.place.authMechanism, "external");
    assert.equal(settingsOf({ password: "" }).place.password, "");
    assert.equal(settingsOf("amqp://h/v").place.vhost, "v");
    assert.deepEqual(
      [settingsOf({ history: true }).history, settingsOf({ history: {} }).history?.maxAgeMs],
      [{ maxAgeMs: undefined, bytesMax: undefined }, undefined],
    );
    assert.equal(settingsOf({ consumerTimeoutMs: false }).consumerTimeoutMs, undefined);
  });

  it("name the nodes of a cluster, which share everything else", () => {
    const { place } = settingsOf({ urls: ["amqp://me:s3cret@a/v", "amqp://b:5673", "amqp://c/v"] });
    const nodes = [
      { host: "a", port: 5672 },
      { host: "b", port: 5673 },
      { host: "c", port: 5672 },
    ];
    assert.deepEqual([place.nodes, place.user, place.vhost], [nodes, "me", "v"]);
    refuses({ urls: [] }, /^urls must be a list of 1 to 64/);
    refuses({ urls: Array.from({ length: 65 }, () => "amqp://a") }, /^urls must be a list of 1 to 64/);
    refuses({ urls: ["amqp://a", "amqp://me:s3cret%@b"] }, /^urls\[1\] has a % that is no escape/);
    refuses({ urls: ["amqp://a", "me:s3cret@b"] }, /^urls\[1\] must look like amqp:\/\/user:password@host:port\/vhost/);
    refuses({ urls: ["amqp://a", 5] }, /^urls\[1\] must be a text/);
    refuses({ urls: ["amqp://a?heartbeat=1", "amqp://b?heartbeat=2"] }, /^heartbeatMs differs between the urls/);
    refuses({ urls: ["amqp://a"], url: "amqp://b" }, /cannot be combined with url/);
    refuses({ urls: ["amqp://a"], host: "b" }, /host cannot be combined with urls/);
    refuses({ urls: ["amqp://a", "amqps://b"] }, /all begin with amqps/);
    refuses({ urls: ["amqp://a:s3cret@a", "amqp://b:s3cret@b"] }, /user differs between the urls: say it once/);
    refuses({ urls: ["amqp://a", "amqp://b:s3cret@b"], user: "c" }, /user is said otherwise by the url: say it once/);
    refuses({ urls: ["amqp://a", "amqp://b:1"], port: 2 }, /port is said otherwise by the url/);
  });

  it("refuse queue arguments that would break a promise, with the reason", () => {
    for (const name of ["x-delivery-limit", "x-max-length", "x-max-length-bytes", "x-message-ttl", "x-expires", "x-max-priority"])
      refuses({ queue: { arguments: { [name]: 3 } } }, new RegExp(`^queue.arguments.${name} cannot be set: .{20}`));
    for (const name of ["x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy"])
      refuses({ queue: { arguments: { [name]: "x" } } }, new RegExp(`^queue.arguments.${name} cannot be set: .{20}`));
    refuses({ queue: { arguments: { "x-single-active-consumer": true } } }, /say exclusive/);
    refuses({ queue: { arguments: { "x-queue-type": "classic" } } }, /say queue.type/);
    for (const bad of [1.5, null, undefined, ["s3cret"]])
      refuses({ queue: { arguments: { "x-other": bad } } }, /^queue.arguments.x-other must be text, true, false/);
    refuses({ queue: { arguments: { ["x".repeat(256)]: 1 } } }, /^queue.arguments cannot hold an argument whose name is longer than 255 bytes/);
    refuses({ queue: { arguments: ["s3cret"] } }, /^queue.arguments must be an object/);
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
    refuses({ hots: "x" }, /^hots is not an option of amqp\(\): use url, urls, host,/);
    refuses({ toString: 1 }, /^toString is not an option/);
    refuses({ url: "http://user:s3cret@host" }, /^url must look like amqp:\/\/user:password@host:port\/vhost/);
    refuses({ url: "amqp://user:s3cret@host:port" }, /^url must look like/);
    refuses({ url: 5 }, /^url must be a text/);
    refuses({ url: "amqp://user:s3cret%zz@host" }, /^url has a % that is no escape: write % as %25/);
    refuses({ url: "amqp://user:s3cret@host/v%zz" }, /^url has a % that is no escape/);
    refuses({ url: "amqp://user:s3cret@host/#v" }, /^url has a # in it/);
    refuses({ url: "amqp://user:s3cret@host:0" }, /^url must have a port from 1/);
    refuses({ url: "amqp://user:s3cret@host?hartbeat=1" }, /^url has a parameter that nobody reads: use heartbeat, connection_timeout, .*auth_mechanism only/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=soon" }, /^url has a parameter heartbeat that is no whole number/);
    refuses({ url: "amqp://host?frame_max=8192&frameMax=9000" }, /^frameMax is said otherwise/);
    refuses({ url: "amqp://user:s3cret@host", password: "other" }, /^password is said otherwise by the url: say it once/);
    refuses({ url: "amqp://user@host", password: 5 }, /^password must be a text/);
    refuses({ url: "amqp://user:s3cret@host", host: "other" }, /^host is said otherwise/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=5", heartbeatMs: 6_000 }, /^heartbeatMs is said otherwise/);
    refuses({ url: "amqp://user:s3cret@host?heartbeat=0" }, /heartbeat in the url\) cannot be 0: /);
    refuses({ heartbeatMs: 0 }, /cannot be 0: a broker that falls silent/);
    refuses({ url: "amqp://user:s3cret@host?frameMax=4096" }, /^frameMax must be at least 8192.*4\.1/);
    refuses({ url: "amqp://user:s3cret@host?channel_max=15" }, /^channelMax must be a whole number from 16 to 65535/);
    refuses({ url: "amqp://user:s3cret@host?connection_timeout=0" }, /^connectTimeoutMs must be a whole number from 1/);
    refuses({ frameMax: 8_192.5 }, /^frameMax must be a whole number/);
    refuses({ channelMax: 2 }, /^channelMax must be/);
    refuses({ bodyBytesMax: 2 ** 30 }, /^bodyBytesMax must be/);
    refuses({ requestTimeoutMs: 0 }, /^requestTimeoutMs must be/);
    refuses({ consumerTimeoutMs: true }, /^consumerTimeoutMs must be/);
    refuses({ url: "amqps://user:s3cret@host", tls: false }, /^tls is said otherwise by the url, which begins with amqps:/);
    refuses({ tls: { rejectUnauthorized: false } }, /cannot be switched off: give tls\.ca/);
    refuses({ tls: { checkServerIdentity: () => undefined } }, /cannot be switched off/);
    refuses({ tls: { caFile: "x" } }, /^tls\.caFile is not an option of tls/);
    refuses({ authMechanism: "external" }, /^authMechanism "external" needs .*tls\.cert/);
    refuses({ url: "amqps://host?auth_mechanism=magic" }, /^authMechanism must be "plain" or "external"/);
    refuses({ host: "" }, /^host must be a text/);
    refuses({ vhost: "" }, /^vhost must be a text/);
    refuses({ port: 0 }, /^port must be/);
    refuses({ port: null }, /^port must be/);
    refuses({ prefetch: 65_536 }, /^prefetch must be/);
    refuses({ heartbeatMs: 0.5 }, /^heartbeatMs must be/);
    refuses({ queue: { type: "stream" } }, /^queue\.type must be "quorum" or "classic"/);
    refuses({ queue: { typ: "quorum" } }, /^queue\.typ is not an option of queue: use type, arguments/);
    refuses({ managementUrl: "rabbit:s3cret@host" }, /^managementUrl must look like http:\/\//);
    refuses({ managementUrl: "http://rabbit:s3cret%zz@host" }, /^managementUrl has a %/);
    refuses({ managementUrl: "http://rabbit:s3cret@host?columns=name" }, /^managementUrl has a parameter that nobody reads/);
    refuses({ history: { maxAge: 1 } }, /^history\.maxAge is not an option of history/);
    refuses({ history: { maxAgeMs: 999 } }, /^history\.maxAgeMs must be a whole number of at least 1000/);
    refuses({ history: { bytesMax: 0 } }, /^history\.bytesMax must be a whole number of at least 1/);
    refuses({ history: null }, /^history takes an object/);
    refuses({ exchange: "" }, /^exchange must be a text/);
    refuses({ exchange: "a", names: { exchange: () => "b" } }, /^exchange is made by/);
    refuses({ names: { grupo: () => "b" } }, /^names\.grupo is not an option of names/);
    refuses({ names: { group: "b" } }, /^names\.group must be a function that makes a name/);
    refuses(null, /^amqp\(\) takes an object/);
    assert.throws(
      () => settingsOf({ history: { bytesMax: 0 } }),
      (error) => isHalyardError(error) && error.details.option === "history.bytesMax",
    );
  });

  it("refuse beside a connection what it has decided, and what is no connection", () => {
    const connection = (): Promise<never> => Promise.reject(new Error("nobody should ask for it"));
    assert.deepEqual(settingsOf({ connection }).connections, { both: connection });
    assert.deepEqual(settingsOf({ connection: { publish: connection, consume: connection } }).connections, { publish: connection, consume: connection });
    assert.equal(settingsOf({ connection, managementUrl: "http://host", vhost: "v", user: "me", password: "" }).place.vhost, "v");
    const deciding = { url: "amqp://h", urls: ["amqp://h"], host: "h", port: 1, tls: true, authMechanism: "plain" };
    for (const [name, value] of Object.entries({ ...deciding, connectTimeoutMs: 1, heartbeatMs: 1, frameMax: 9_000, channelMax: 16 }))
      refuses({ connection, [name]: value }, new RegExp(`^${name} cannot be combined with connection, which is open already`));
    refuses({ connection, vhost: "x" }, /^vhost is for managementUrl/);
    refuses({ connection, password: "s3cret" }, /^password is for managementUrl/);
    refuses({ connection, managementUrl: "http://host" }, /^vhost is needed for managementUrl/);
    refuses({ connection: { publish: connection } }, /^connection must have both publish and consume/);
    refuses({ connection: { consume: connection } }, /^connection must have both publish and consume/);
    refuses({ connection: { publish: connection, consume: "amqp://me:s3cret@h" } }, /^connection\.consume must be a connection of amqplib/);
    refuses({ connection: { publish: connection, consume: connection, other: 1 } }, /^connection\.other is not an option of connection/);
    for (const other of [{}, null, "amqp://me:s3cret@h", Promise.resolve()]) refuses({ connection: other }, /^connection must be a connection of amqplib/);
  });

  it("name the bad name that a function made before it is used", async () => {
    const { namesOf } = await import("../src/names.ts");
    const { names } = settingsOf({ names: { group: (namespace, group) => `${namespace}/${group}`, dead: () => "x".repeat(256), wait: () => "amq.wait" } });
    assert.throws(() => namesOf(names, "shop"), /names.wait made "amq.wait"/);
    const made = namesOf({ ...names, wait: () => "wait" }, "shop");
    assert.equal(made.group("g"), "shop/g");
    assert.throws(
      () => made.dead("g"),
      (error) => isHalyardError(error, "INVALID_OPTIONS") && /^names.dead made/.test(error.message) && error.details.option === "names.dead",
    );
  });
});
