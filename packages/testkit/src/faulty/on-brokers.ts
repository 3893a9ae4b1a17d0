/** Backends whose faults show only when a real broker or a consumer's process dies, is full, or loses what it had. */
import type { Session, Settlement } from "@halyard/core/spi";
import { faultyDelivering } from "./delivering.ts";
import type { FaultyBackend } from "./faulty-backend.ts";
import { wrapped } from "./wrap.ts";

const never = new AbortController().signal;
/** Longer than the kit waits between a publish and a kill. */
const lateMs = 150;

const named = (name: string): FaultyBackend => {
  const found = faultyDelivering.find((faulty) => faulty.name === name);
  if (found === undefined) throw new Error(`no faulty backend ${name}`);
  return found;
};

export const faultyOnBrokers: readonly FaultyBackend[] = [
  {
    promise: 1,
    name: "says accepted where the broker had no room",
    wrap: (backend) =>
      wrapped(backend, {
        session: (session): Partial<Session> => ({
          publish: async (messages, request) => {
            const statuses = await session.publish(messages, request);
            return statuses?.map((status) => (status.status === "refused" ? { status: "accepted" } : status));
          },
        }),
      }),
  },
  {
    promise: 4,
    name: "empties its groups when it comes back",
    wrap(backend) {
      const groups = new Set<string>();
      return wrapped(backend, {
        session: (session): Partial<Session> => {
          for (const group of groups) void session.admin.purgeGroup(group, never).catch(() => undefined); // the fault is that it may succeed
          return {
            publish: async (messages, request) => {
              const info = await session.admin.groups(never);
              for (const { name } of info ?? []) groups.add(name);
              return session.publish(messages, request);
            },
          };
        },
      });
    },
  },
  named("keeps waiting retries in the memory of their consumer"),
  {
    promise: 10,
    name: "acks what it hands over",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => ({
          async receive(max, signal) {
            const deliveries = await subscription.receive(max, signal);
            await subscription.settle(deliveries.map(({ receipt }): Settlement => ({ receipt, outcome: { type: "ack" } })));
            return deliveries;
          },
          settle: async () => undefined,
        }),
      }),
  },
  {
    promise: 18,
    name: "says accepted before the broker does",
    wrap: (backend) =>
      wrapped(backend, {
        session: (session): Partial<Session> => ({
          publish: async (messages, request) => {
            setTimeout(() => void session.publish(messages, { ...request, signal: never }).catch(() => undefined), lateMs);
            return undefined;
          },
        }),
      }),
  },
  named("is deaf after a reconnect"),
  {
    promise: 19,
    name: "does not tell what it had to make again",
    wrap: (backend) => ({
      ...backend,
      connect: (host, signal) =>
        wrapped(backend, {}).connect({ ...host, report: (event) => (event.type === "recreated" ? undefined : host.report(event)) }, signal),
    }),
  },
];
