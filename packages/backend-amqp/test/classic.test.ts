/** Classic queues: what differs from quorum queues, and the promises next to it. */
import { describeBackend } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeBackend("amqp with classic queues", { ...onRabbitmq({ amqp: { queue: { type: "classic" } } }), only: [2, 5, 6, 13, 16, 19] });
