/** Each cluster elects another leader when its leader is killed, and takes the dead one back. RabbitMQ's takes so long to start that only the endurance run has it. */
import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { startNatsCluster, startRedisCluster, startRedisSentinel } from "../../src/brokers/index.ts";
import { openLine } from "../../src/brokers/line.ts";
import { askRedis } from "../../src/brokers/probe-redis.ts";

describe("clusters", { timeout: 120_000 }, () => {
  it("sentinels replace a master that is killed, with what it had confirmed, also where all of them speak TLS only", async () => {
    const sentinel = await startRedisSentinel({ minReplicasToWrite: 1, tls: true, mutualTls: true });
    try {
      const first = await sentinel.master();
      for (const { port } of [...sentinel.nodes, ...sentinel.sentinels]) await assert.rejects(askRedis({ port }, ["PING"]));
      assert.deepEqual(sentinel.sentinels[0]?.tls?.ca, sentinel.tls?.ca);
      await askRedis(first, ["SET", "key", "value"]);
      await askRedis(first, ["WAIT", "2", "5000"]);
      await first.kill();
      const second = await sentinel.master();
      assert.notEqual(second.port, first.port);
      assert.equal(await askRedis(second, ["GET", "key"]), "value");
      await first.start();
    } finally {
      await sentinel.stop();
    }
  });

  it("a Redis Cluster gives the slots of a master that is killed to its replica, also where all speak TLS only", async () => {
    const cluster = await startRedisCluster({ tls: true });
    try {
      const first = await cluster.masterOf("{namespace}:key");
      for (const { port } of cluster.nodes) await assert.rejects(askRedis({ port }, ["PING"]));
      await askRedis(first, ["SET", "{namespace}:key", "value"]);
      await first.kill();
      const second = await cluster.masterOf("{namespace}:key");
      assert.notEqual(second.port, first.port);
      assert.ok(cluster.nodes.includes(second));
    } finally {
      await cluster.stop();
    }
  });

  it("NATS elects another leader of a stream", async () => {
    const cluster = await startNatsCluster();
    try {
      const [node] = cluster.nodes;
      assert.ok(node);
      const line = await openLine(node.port);
      const config = JSON.stringify({ name: "S", subjects: ["s.>"], num_replicas: 3, storage: "file" });
      line.write(`CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.CREATE.S answer ${config.length}\r\n${config}\r\n`);
      await line.read((bytes) => bytes.includes("stream_create_response"));
      line.close();
      const first = await cluster.streamLeader("S");
      await first.kill();
      const second = await cluster.streamLeader("S");
      assert.notEqual(second.name, first.name);
      await first.start();
    } finally {
      await cluster.stop();
    }
  });
});
