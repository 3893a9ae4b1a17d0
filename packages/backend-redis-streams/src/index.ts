/** The public surface of `@halyard/backend-redis-streams`. */

export type { Names } from "./keys.ts";
export type { HistoryOptions, RedisStreamsOptions } from "./options.ts";
export type { RedisAddress } from "./plan.ts";
export { redisStreams } from "./redis-streams.ts";
