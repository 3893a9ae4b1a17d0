/** The real brokers, and for each the program on its bare client library that Halyard is measured against. Both do the same work on the same broker. */
import { type BrokerKind, requireBroker } from "@halyard/testkit/brokers";
import type { Place } from "../halyard/place.ts";
import type { PartPlan } from "../measure.ts";
import type { BareClientOptions } from "./bare-client.ts";

/** A way to use the bare client. */
export interface BareProgram {
  /** Of the contender. */
  readonly name: string;
  readonly title: string;
  readonly client: Pick<BareClientOptions, "publisher" | "consumer" | "batch" | "window" | "hasTraces">;
}

export interface BrokerContest {
  readonly backend: Exclude<Place["backend"], "embedded">;
  readonly kind: BrokerKind;
  /** The broker and what it is told. */
  readonly broker: string;
  /** The first is the one that the figures are wanted over. */
  readonly programs: readonly [BareProgram, ...BareProgram[]];
  /** Messages of Halyard over those of the first program, at least. */
  readonly ratio: number;
}

/** Most messages handed over and not acked: more is no faster with any of them, 256 is slower with NATS. */
const window = 512;

export const contests: readonly BrokerContest[] = [
  {
    backend: "amqp",
    kind: "rabbitmq",
    broker: "RabbitMQ, quorum queues",
    programs: [
      {
        name: "amqplib",
        title: "amqplib: confirm channel, persistent, message id, content type, timestamp; quorum queue, prefetch, ack a message",
        client: { publisher: "amqplib-publisher", consumer: "amqplib-consumer", batch: 1, window },
      },
    ],
    ratio: 0.95,
  },
  {
    backend: "redis-streams",
    kind: "redis",
    broker: "Redis, appendonly yes, appendfsync everysec",
    programs: [
      {
        name: "ioredis",
        title: "ioredis: SET NX and XADD a message in pipelines of 128; XREADGROUP with the next read asked for; XACK and XDEL a batch",
        // Two pipelines under way: found best among 4 × 64, 2 × 128 and 1 × 256.
        client: { publisher: "ioredis-publisher", consumer: "ioredis-consumer", batch: 128, window },
      },
    ],
    ratio: 1,
  },
  {
    backend: "nats",
    kind: "nats",
    broker: "NATS JetStream, file storage",
    programs: [
      {
        name: "nats-io",
        title: "@nats-io/jetstream: js.publish with a message id; durable pull consumer, consume with a callback, ack a message",
        client: { publisher: "nats-publisher", consumer: "nats-consumer", batch: 1, window, hasTraces: true },
      },
      {
        name: "nats-io-tuned",
        title: "the same with noAsyncTraces: the client then makes one stack trace a request instead of two",
        client: { publisher: "nats-publisher", consumer: "nats-consumer", batch: 1, window, hasTraces: false },
      },
    ],
    ratio: 1.6,
  },
];

/** A fresh broker for every run. */
export function brokerPlan(kind: BrokerKind): PartPlan {
  return { name: "broker", part: "brokers/broker", settings: () => ({ kind }), isProfiled: false };
}

/** Why there can be no run with this broker; undefined: it is installed. */
export function missing(kind: BrokerKind): string | undefined {
  try {
    const found = requireBroker(kind);
    return "program" in found ? undefined : "a broker given by URL is not used here: every run starts its own";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
