/** The suite again with a stream beside the queues, as far as it is concerned by that. */
import { describeBackend } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeBackend("amqp", { ...onRabbitmq({ amqp: { history: { maxAgeMs: 3_600_000 } } }), variant: "with history", only: [1, 21] });
