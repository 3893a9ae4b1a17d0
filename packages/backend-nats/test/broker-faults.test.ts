import { describeBrokerFaults } from "@halyard/testkit";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { nats } from "../src/index.ts";

async function asOperator(broker: Broker, act: (manager: JetStreamManager) => Promise<unknown>): Promise<void> {
  const connection = await connect({ servers: `127.0.0.1:${broker.port}`, reconnect: false });
  try {
    await act(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

describeBrokerFaults("nats", {
  start: () => startNats({ isOwned: true }),
  create: ({ broker: { url } }) => nats({ url, ackWaitMs: 3_000, confirmTimeoutMs: 1_000, requestTimeoutMs: 2_000, pingIntervalMs: 500 }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  // The server writes acks down about every 100 ms (2.9.10: 50 came again per kill at 1,000 a second).
  ackLossMs: 300,
  pressure: {
    // Full as it is. A smaller bound would make the server delete what is stored, whatever the discard policy says.
    begin: ({ namespace, broker }) =>
      asOperator(broker, async ({ streams }) => {
        const { state } = await streams.info(namespace);
        await streams.update(namespace, { max_bytes: state.bytes });
      }),
    end: ({ namespace, broker }) => asOperator(broker, ({ streams }) => streams.update(namespace, { max_bytes: -1 })),
  },
  destroyGroup: ({ namespace, broker }, group) =>
    asOperator(broker, async ({ consumers }) => {
      for (const stream of [namespace, `${namespace}_inbox`]) await consumers.delete(stream, group);
    }),
});
