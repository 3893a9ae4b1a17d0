/** The public surface of `@halyard/backend-redis-streams`. */

export type { Names } from "./keys.ts";
export type { HistoryOptions, RedisAddress, RedisStreamsOptions } from "./options.ts";
export { redisStreams } from "./redis-streams.ts";
