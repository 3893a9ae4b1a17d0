/** Real brokers for tests and demos, started and stopped by this process. Free of vitest, so that programs can use it too. */

export type { Broker, BrokerKind, BrokerTls } from "./broker.ts";
export { type FoundBroker, findBroker, requireBroker } from "./find-broker.ts";
export { type NatsBrokerOptions, startNats } from "./nats.ts";
export { type RabbitmqBroker, type RabbitmqBrokerOptions, type RabbitmqUser, startRabbitmq } from "./rabbitmq.ts";
export { type RedisBrokerOptions, startRedis } from "./redis.ts";
