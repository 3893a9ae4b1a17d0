/** What consumers in processes of their own connect with; see `broker-faults.test.ts`. */
import { nats } from "@halyard/backend-nats";

export const createBackend = ({ url }) => nats({ url, ackWaitMs: 3_000, confirmTimeoutMs: 1_000, requestTimeoutMs: 2_000, pingIntervalMs: 500 });
