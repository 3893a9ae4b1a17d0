/** One Redis for a test file, bare sessions on namespaces of their own, and what core would do with them. */
import {
  type Backend,
  type BackendEvent,
  type BackendSubscription,
  type Delivery,
  type Host,
  parsePattern,
  type Session,
  systemClock,
  type WireMessage,
} from "@halyard/core/spi";
import type { FaultProxy } from "@halyard/testkit";
import { type Broker, type RedisBrokerOptions, startRedis } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect } from "vitest";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";

export const never: AbortSignal = new AbortController().signal;

export interface Opened {
  readonly session: Session;
  readonly events: BackendEvent[];
}

export interface Fixture {
  readonly broker: Broker;
  /** Beside Halyard, with all rights. */
  readonly redis: Redis;
  readonly namespace: string;
  /** `{namespace}:` and what follows. */
  key(rest: string): string;
  backend(options?: Partial<RedisStreamsOptions>, proxy?: FaultProxy): Backend;
  open(
    options?: Partial<RedisStreamsOptions>,
    place?: { readonly proxy?: FaultProxy; readonly backend?: Backend; readonly clientName?: string },
  ): Promise<Opened>;
}

/** For a whole file: hooks start and stop it, `begin` gives each test a namespace of its own. */
export function redisFixture(options: RedisBrokerOptions = {}): { begin(): Fixture } {
  let broker: Broker | undefined;
  let redis: Redis | undefined;
  let count = 0;
  const sessions = new Set<Session>();
  beforeAll(async () => {
    broker = await startRedis({ isOwned: true, ...options });
    redis = new Redis(broker.url, { protocol: 2, replyMapping: "legacy" });
    redis.on("error", () => undefined);
  });
  afterAll(async () => {
    for (const session of sessions) await session.close();
    redis?.disconnect();
    await broker?.stop();
  });
  return {
    begin() {
      if (broker === undefined || redis === undefined) throw new Error("Redis has not been started");
      const own = broker;
      const namespace = `test-${++count}`;
      const backend: Fixture["backend"] = (more = {}, proxy) =>
        redisStreams({ host: "127.0.0.1", port: proxy?.port ?? own.port, leaseMs: 2_000, commandTimeoutMs: 1_000, blockMs: 1_000, ...more });
      return {
        broker: own,
        redis,
        namespace,
        key: (rest) => `{${namespace}}:${rest}`,
        backend,
        async open(more = {}, place = {}) {
          const events: BackendEvent[] = [];
          const host: Host = {
            namespace,
            clientName: place.clientName ?? `client-${++count}`,
            clock: systemClock,
            random: Math.random,
            report: (event) => events.push(event),
          };
          const session = await (place.backend ?? backend(more, place.proxy)).connect(host, never);
          sessions.add(session);
          return { session, events };
        },
      };
    },
  };
}

export function message(topic: string, id: string, fields: Partial<WireMessage> = {}): WireMessage {
  return {
    topic,
    id,
    timeMs: 1_700_000_000_000,
    attempt: 1,
    contentType: "application/json",
    body: Buffer.from(`"${id}"`),
    headers: {},
    priority: 4,
    persistent: true,
    ...fields,
  };
}

/** A member with its credit open. */
export async function join(session: Session, group: string, patterns: string, inFlightMax = 10): Promise<BackendSubscription> {
  const request = { patterns: [parsePattern(patterns)], inFlightMax, group: { name: group, from: "new", exclusive: false } } as const;
  const member = await session.subscribe(request, never);
  member.credit(inFlightMax);
  return member;
}

export async function publish(session: Session, messages: readonly WireMessage[]): Promise<void> {
  const statuses = await session.publish(messages, { signal: never });
  for (const status of statuses ?? []) expect(status.status).toBe("accepted");
}

/** At least `count` deliveries, within a deadline. */
export async function take(member: BackendSubscription, count: number, deadlineMs = 10_000): Promise<Delivery[]> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), deadlineMs);
  const taken: Delivery[] = [];
  while (taken.length < count && !controller.signal.aborted) taken.push(...(await member.receive(count - taken.length, controller.signal)));
  clearTimeout(timer);
  expect(taken.map((delivery) => delivery.message.id)).toHaveLength(count);
  return taken;
}

export const ack = (member: BackendSubscription, deliveries: readonly Delivery[]) =>
  member.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } as const })));

export const idsOf = (deliveries: readonly Delivery[]): string[] => deliveries.map((delivery) => delivery.message.id);

/** Waits for a condition. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, deadlineMs = 10_000): Promise<void> {
  for (const startMs = performance.now(); !(await condition()); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (performance.now() - startMs > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
}
