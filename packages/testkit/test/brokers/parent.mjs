// Starts a broker and then does nothing: the test kills it.
import { readlinkSync } from "node:fs";
import { startNats, startRabbitmq, startRedis } from "@halyard/testkit/brokers";

const start = { redis: startRedis, nats: startNats, rabbitmq: startRabbitmq }[process.argv[2]];
const { pid } = await start({ isOwned: true });
process.stdout.write(`${JSON.stringify({ pid, directory: readlinkSync(`/proc/${pid}/cwd`) })}\n`);
setInterval(() => {}, 1_000);
