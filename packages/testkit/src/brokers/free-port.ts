/**
 * Ports for brokers: below the range that outgoing connections take theirs from. A broker that is down for a moment keeps its port that way: a client
 * that tries to reconnect to a port in that range may be given the very same one, and then talks to itself.
 */
import { createServer } from "node:net";

/** Linux gives 32768–60999 to outgoing connections, and rabbitmqctl listens on 35672–35682. */
const portMin = 10_000;
const portMax = 32_000;
const triesMax = 200;

/** A port on 127.0.0.1 that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < triesMax; attempt++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port between ${portMin} and ${portMax} in ${triesMax} tries.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
