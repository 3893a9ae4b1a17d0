/** Where a networked contender meets, as plain data for another process, and the backend that leads there. */
import { amqp } from "@halyard/backend-amqp";
import { embedded } from "@halyard/backend-embedded";
import { nats } from "@halyard/backend-nats";
import { redisStreams } from "@halyard/backend-redis-streams";
import type { Backend } from "@halyard/core";

export interface Place {
  readonly backend: "embedded" | "amqp" | "redis-streams" | "nats";
  /** What the server said when it was ready: a port of this machine, or a URL. */
  readonly address: string;
}

/** All options but the place are the defaults. */
export function backendAt({ backend, address }: Place): Backend {
  return backends[backend](address);
}

const backends: Readonly<Record<Place["backend"], (address: string) => Backend>> = {
  embedded: (address) => embedded({ port: Number(address), autoStart: false }),
  amqp: (address) => amqp(address),
  "redis-streams": (address) => redisStreams(address),
  nats: (address) => nats(address),
};
