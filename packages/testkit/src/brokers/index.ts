/** Real brokers for tests and demos, started and stopped by this process. Free of vitest, so that programs can use it too. */

export type { Broker, BrokerKind, BrokerTls } from "./broker.ts";
export type { BrokerCluster } from "./cluster.ts";
export { type FoundBroker, findBroker, requireBroker } from "./find-broker.ts";
export { type NatsBrokerOptions, type NatsUser, startNats } from "./nats.ts";
export { type NatsCluster, type NatsNode, startNatsCluster } from "./nats-cluster.ts";
export { type RabbitmqBroker, type RabbitmqBrokerOptions, type RabbitmqUser, startRabbitmq } from "./rabbitmq.ts";
export { type RabbitmqCluster, startRabbitmqCluster } from "./rabbitmq-cluster.ts";
export { type RedisBrokerOptions, startRedis } from "./redis.ts";
export { type RedisCluster, type RedisClusterOptions, startRedisCluster } from "./redis-cluster.ts";
export { type RedisSentinel, type RedisSentinelOptions, startRedisSentinel } from "./redis-sentinel.ts";
