/** What consumers in processes of their own connect with; see `broker-faults.test.ts`. */
import { amqp } from "@halyard/backend-amqp";

export const createBackend = ({ url }) => amqp({ url, heartbeatMs: 1_000, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 });
