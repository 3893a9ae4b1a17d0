import { describeFaults } from "@halyard/testkit";
import { onRabbitmq } from "./rabbitmq.ts";

describeFaults("amqp", onRabbitmq({ isProxied: true }));
