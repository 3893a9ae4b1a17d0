import { describeBrokerFaults } from "@halyard/testkit";
import { startRabbitmq } from "@halyard/testkit/brokers";
import { amqp } from "../src/index.ts";
import { manage } from "./rabbitmq.ts";

describeBrokerFaults("amqp", {
  start: () => startRabbitmq({ isOwned: true }),
  create: ({ broker: { url } }) => amqp({ url, heartbeatMs: 1_000, connectionTimeoutMs: 5_000, requestTimeoutMs: 5_000 }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  settleMs: 3_000, // measured on 3.10.8: a kill within a second or two of its declaration loses a quorum queue
  pressure: {
    begin: ({ broker }) => broker.setMemoryAlarm(true),
    end: ({ broker }) => broker.setMemoryAlarm(false),
  },
  destroyGroup: async ({ namespace, broker }, group) => void (await manage(broker, "DELETE", `queues/%2F/${namespace}.group.${group}`)),
});
