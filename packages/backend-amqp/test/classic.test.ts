/** Classic queues: what differs from quorum queues, and the promises next to it. */
import { describeBackend } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeBackend("amqp", {
  ...onRabbitmq({ amqp: { queue: { type: "classic" } } }),
  variant: "with classic queues",
  only: [2, 5, 6, 13, 16, 19],
});
