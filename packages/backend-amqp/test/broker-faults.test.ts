import { describeBrokerFaults } from "@halyard/testkit";
import { startRabbitmq } from "@halyard/testkit/brokers";
import { amqp } from "../src/index.ts";
import { manage } from "./rabbitmq.ts";

describeBrokerFaults("amqp", {
  start: () => startRabbitmq({ isOwned: true }),
  create: ({ broker: { url } }) => amqp({ url, heartbeatMs: 1_000, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  settleMs: 7_000, // 3.10.8 writes the term of a new quorum queue down within 5 s; killed before, the queue never answers again (plain amqplib too)
  pressure: {
    begin: ({ broker }) => broker.setMemoryAlarm(true),
    end: ({ broker }) => broker.setMemoryAlarm(false),
  },
  destroyGroup: async ({ namespace, broker }, group) => void (await manage(broker, "DELETE", `queues/%2F/${namespace}.group.${group}`)),
});
