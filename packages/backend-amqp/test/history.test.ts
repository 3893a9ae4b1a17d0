/** The suite again with a stream beside the queues, as far as it is concerned by that. */
import { describeBackend } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeBackend("amqp with history", { ...onRabbitmq({ amqp: { history: { maxAgeMs: 3_600_000 } } }), only: [1, 21] });
