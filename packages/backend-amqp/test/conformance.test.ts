import { describeBackend } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeBackend("amqp", onRabbitmq());
