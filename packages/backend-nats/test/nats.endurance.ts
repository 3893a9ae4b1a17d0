/** `npm run test:endurance -- nats`: minutes of kills, lost replies and failovers. */
import { describeEndurance } from "@halyard/testkit";
import { startNats, startNatsCluster } from "@halyard/testkit/brokers";
import { type NatsOptions, nats } from "../src/index.ts";

const impatient: NatsOptions = { ackWaitMs: 3_000, confirmTimeoutMs: 1_000, requestTimeoutMs: 2_000, pingIntervalMs: 500 };

describeEndurance("nats", {
  start: () => startNats({ isOwned: true }),
  create: ({ broker: { url } }) => nats({ url, ...impatient }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  ackLossMs: 300, // see broker-faults.test.ts
  clusters: [
    {
      name: "three NATS servers",
      async start() {
        const cluster = await startNatsCluster();
        const servers = cluster.nodes.map(({ url }) => url);
        return {
          create: () => nats({ servers, stream: { replicas: 3 }, ackWaitMs: 3_000 }),
          async killLeader(namespace) {
            const leader = await cluster.streamLeader(namespace);
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
