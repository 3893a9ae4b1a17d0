/** What consumers in processes of their own connect with; see `broker-faults.test.ts`. */
import { redisStreams } from "@halyard/backend-redis-streams";

export const createBackend = ({ url }) => redisStreams({ url, leaseMs: 4_000, commandTimeoutMs: 1_500, blockMs: 1_000 });
