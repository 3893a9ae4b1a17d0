/** `npm run test:endurance -- amqp`: minutes of kills, lost replies and failovers. */
import { describeEndurance } from "@halyard/testkit";
import { startRabbitmq, startRabbitmqCluster } from "@halyard/testkit/brokers";
import { type AmqpOptions, amqp } from "../src/index.ts";

const impatient: AmqpOptions = { heartbeatMs: 1_000, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 };

describeEndurance("amqp", {
  start: () => startRabbitmq({ isOwned: true }),
  create: ({ broker: { url } }) => amqp({ url, ...impatient }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  settleMs: 7_000, // see broker-faults.test.ts
  clusters: [
    {
      name: "three RabbitMQ nodes",
      async start() {
        const cluster = await startRabbitmqCluster();
        return {
          create: () => amqp({ url: cluster.url, ...impatient }),
          async killLeader(namespace, group) {
            const leader = await cluster.queueLeader(`${namespace}.group.${group}`);
            await leader.kill();
            return () => leader.start();
          },
          version: cluster.nodes[0]?.version ?? "unknown",
          stop: cluster.stop,
        };
      },
    },
  ],
});
