/**
 * The backends that the team can work over: one entry each, and nothing else in the demo knows any of them. What differs is where the team meets; what it
 * says and what it may rely on is the same.
 */
import { amqp } from "@halyard/backend-amqp";
import { memory } from "@halyard/backend-memory";
import { nats } from "@halyard/backend-nats";
import { redisStreams } from "@halyard/backend-redis-streams";
import type { Backend } from "@halyard/core";
import { startNats, startRabbitmq, startRedis } from "@halyard/testkit/brokers";
import { embeddedAt, endServer, socketIn } from "./embedded-server.ts";
import { startPrivateBroker } from "./private-broker.ts";

/** The first is the default. */
export const backendNames = ["embedded", "memory", "amqp", "redis-streams", "nats"] as const;
export type BackendName = (typeof backendNames)[number];

/** Where a team meets for one run. */
export interface MeetingPlace {
  /** What every process needs to get there: a path or a URL, which may hold a password. Never shown. */
  readonly address: string;
  /** For people, after "over": without a password. */
  readonly title: string;
  /** When everybody has left. Rejects where it could not be cleared away. */
  end(): Promise<void>;
}

export interface BackendEntry {
  /** For `--help`. */
  readonly help: string;
  /** False: all members work in one process, since there is no way in from another. */
  readonly hasProcesses: boolean;
  /** Beginnings of URLs that `--url` takes; none: it takes no URL. */
  readonly protocols: readonly string[];
  /** The one line that a user would change. */
  readonly backendAt: (address: string) => Backend;
  /** A place that is there for this run only; `scratch` is the run's folder. */
  readonly startPlace: (scratch: string) => Promise<MeetingPlace>;
}

/**
 * A broker that cannot see that a process was killed gives its work to others when it has heard nothing of it for so long. The usual half minute
 * is right for people who are away from their desk, and long for somebody who looks on.
 */
const leaseMs = 5_000;

export const backends: Readonly<Record<BackendName, BackendEntry>> = {
  embedded: {
    help: "processes of their own over a private server (default)",
    hasProcesses: true,
    protocols: [],
    backendAt: embeddedAt,
    startPlace: async (scratch) => {
      const address = socketIn(scratch);
      return { address, title: `a server of their own in ${scratch}`, end: () => endServer(address) };
    },
  },
  memory: {
    help: "the same team inside one process, where nobody can be killed",
    hasProcesses: false,
    protocols: [],
    backendAt: () => memory(),
    startPlace: async () => ({ address: "", title: "memory", end: async () => undefined }),
  },
  amqp: {
    help: "processes of their own over RabbitMQ",
    hasProcesses: true,
    protocols: ["amqp:", "amqps:"],
    backendAt: (url) => amqp(url),
    startPlace: () => startPrivateBroker("RabbitMQ", "rabbitmq", startRabbitmq),
  },
  "redis-streams": {
    help: "the same over Redis",
    hasProcesses: true,
    protocols: ["redis:", "rediss:"],
    backendAt: (url) => redisStreams({ url, leaseMs }),
    startPlace: () => startPrivateBroker("Redis", "redis", startRedis),
  },
  nats: {
    help: "the same over NATS JetStream",
    hasProcesses: true,
    protocols: ["nats:", "tls:"],
    backendAt: (url) => nats({ url, ackWaitMs: leaseMs }),
    startPlace: () => startPrivateBroker("NATS", "nats", startNats),
  },
};

/** A broker that somebody else runs. */
export function placeAt(url: string): MeetingPlace {
  const { protocol, host } = new URL(url);
  return { address: url, title: `the broker at ${protocol}//${host}`, end: async () => undefined };
}
