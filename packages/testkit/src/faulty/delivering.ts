/** Backends that break what happens on the way out: promises 3, 4, 5, 6, 7, 10, 11, 17, 18, 20. */
import { type BackendSubscription, parsePattern, type Session, type Settlement } from "@halyard/core/spi";
import type { FaultyBackend } from "./faulty-backend.ts";
import { receiving, receivingOnly, settlingWith, wrapped } from "./wrap.ts";

const never = new AbortController().signal;
const acked = (receipt: unknown): Settlement => ({ receipt, outcome: { type: "ack" } });

/** Remembers what a subscription holds, and calls `onClose` with that instead of giving it back. */
function holding(
  subscription: BackendSubscription,
  onClose: (receipts: ReadonlySet<unknown>) => Promise<unknown>,
): Partial<BackendSubscription> & { lose(): Promise<void> } {
  const held = new Set<unknown>();
  return {
    async receive(max, signal) {
      const deliveries = await subscription.receive(max, signal);
      for (const { receipt } of deliveries) held.add(receipt);
      return deliveries;
    },
    settle(settlements) {
      for (const { receipt } of settlements) held.delete(receipt);
      return subscription.settle(settlements);
    },
    async close() {
      await onClose(held);
      await subscription.close();
    },
    async lose() {
      await onClose(held);
    },
  };
}

export const faultyDelivering: readonly FaultyBackend[] = [
  {
    promise: 2,
    name: "lets all members of an exclusive group be active",
    wrap: (backend) =>
      wrapped(backend, { request: (request) => (request.group === undefined ? request : { ...request, group: { ...request.group, exclusive: false } }) }),
  },
  {
    promise: 2,
    name: "holds back all members of a group as soon as one of them asks for exclusive",
    wrap(backend) {
      const asked = new Set<string>();
      return wrapped(backend, {
        request(request) {
          const { group } = request;
          if (group === undefined) return request;
          if (group.exclusive) asked.add(group.name);
          return { ...request, group: { ...group, exclusive: asked.has(group.name) } };
        },
      });
    },
  },
  {
    promise: 3,
    name: "drops live messages without a word",
    wrap(backend) {
      let count = 0;
      return wrapped(backend, {
        subscription: (subscription, _, { group }) => (group === undefined ? receivingOnly(subscription, () => ++count % 3 !== 0) : {}),
      });
    },
  },
  {
    promise: 3,
    name: "gives every member of a group its own copy",
    wrap: (backend) =>
      wrapped(backend, {
        request: (request, { clientName }) =>
          request.group === undefined ? request : { ...request, group: { ...request.group, name: `${request.group.name}-${clientName.slice(-20)}` } },
      }),
  },
  {
    promise: 3,
    name: "reports no gap",
    wrap(backend) {
      return {
        ...wrapped(backend, {}),
        connect: (host, signal) =>
          wrapped(backend, {}).connect({ ...host, report: (event) => (event.type === "gap" ? undefined : host.report(event)) }, signal),
      };
    },
  },
  {
    promise: 4,
    name: "forgets a group that has no member",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription, session, { group }) => ({
          async close() {
            await subscription.close();
            if (group !== undefined) await session.admin.removeGroup(group.name, never);
          },
        }),
      }),
  },
  {
    promise: 5,
    name: "hands over ten times the credit",
    wrap: (backend) =>
      wrapped(backend, {
        request: (request) => ({ ...request, inFlightMax: request.inFlightMax * 10 }),
        subscription: (subscription) => ({ credit: (inFlightMax) => subscription.credit(inFlightMax * 10) }),
      }),
  },
  {
    promise: 6,
    name: "brings one message in five back after its ack",
    wrap(backend) {
      let count = 0;
      return wrapped(backend, {
        subscription: (subscription) => settlingWith(subscription, (outcome) => (outcome.type === "ack" && ++count % 5 === 0 ? { type: "release" } : outcome)),
      });
    },
  },
  {
    promise: 6,
    name: "brings retries back at once",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => settlingWith(subscription, (outcome) => (outcome.type === "move" ? { ...outcome, delayMs: 0 } : outcome)),
      }),
  },
  {
    promise: 6,
    name: "retries through the topic, so that every group sees it",
    wrap(backend) {
      let count = 0;
      return wrapped(backend, {
        subscription: (subscription, session) => ({
          async settle(settlements) {
            for (const { outcome } of settlements) {
              if (outcome.type === "move" && outcome.to === "inbox")
                await session.publish([{ ...outcome.message, id: `${outcome.message.id}-${count++}` }], { signal: never });
            }
            return subscription.settle(
              settlements.map((settlement) =>
                settlement.outcome.type === "move" && settlement.outcome.to === "inbox" ? acked(settlement.receipt) : settlement,
              ),
            );
          },
        }),
      });
    },
  },
  {
    promise: 6,
    name: "counts no attempts",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => receiving(subscription, (delivery) => ({ ...delivery, message: { ...delivery.message, attempt: 1 } })),
      }),
  },
  {
    promise: 6,
    name: "keeps waiting retries in the memory of their consumer",
    wrap(backend) {
      const closed = new WeakSet<Session>();
      return wrapped(backend, {
        session: (session) => ({
          close() {
            closed.add(session);
            return session.close();
          },
        }),
        subscription: (subscription, session, { group }) =>
          settlingWith(subscription, (outcome) => {
            if (outcome.type !== "move" || outcome.to !== "inbox" || group === undefined) return outcome;
            const send = (): Promise<unknown> => session.publish([outcome.message], { signal: never, target: { group: group.name } });
            setTimeout(() => closed.has(session) || void send().catch(() => undefined), outcome.delayMs);
            return { type: "ack" };
          }),
      });
    },
  },
  {
    promise: 7,
    name: "halves every delay",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) =>
          settlingWith(subscription, (outcome) => (outcome.type === "move" ? { ...outcome, delayMs: outcome.delayMs / 2 } : outcome)),
      }),
  },
  {
    promise: 10,
    name: "forgets what a dead consumer held",
    wrap: (backend) => {
      const held = new Set<{ lose(): Promise<void> }>();
      return wrapped(backend, {
        session: (session) => ({
          async close() {
            for (const subscription of held) await subscription.lose().catch(() => undefined); // of another session, and closed
            await session.close();
          },
        }),
        subscription(subscription) {
          const hooks = holding(subscription, (receipts) => subscription.settle([...receipts].map(acked)));
          held.add(hooks);
          return hooks;
        },
      });
    },
  },
  {
    promise: 10,
    name: "claims to count deliveries, and does not",
    wrap: (backend) => wrapped(backend, { subscription: (subscription) => receiving(subscription, (delivery) => ({ ...delivery, deliveries: 1 })) }),
  },
  {
    promise: 11,
    name: "takes messages back from handlers that run long",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription, _, { group }) => ({
          async receive(max, signal) {
            const deliveries = await subscription.receive(max, signal);
            const takeBack = (): void =>
              void subscription.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "release" } }))).catch(() => undefined);
            if (group !== undefined) setTimeout(takeBack, 200);
            return deliveries;
          },
        }),
      }),
  },
  {
    promise: 17,
    name: "throws away what it takes for garbage",
    wrap: (backend) =>
      wrapped(backend, { subscription: (subscription) => receivingOnly(subscription, ({ message }) => message.contentType === "application/json") }),
  },
  {
    promise: 18,
    name: "is deaf after a reconnect",
    wrap(backend) {
      const known = new Set<string>();
      let isDeaf = false;
      return wrapped(backend, {
        connected({ clientName }) {
          isDeaf = known.has(clientName);
          known.add(clientName);
        },
        subscription: (subscription) =>
          isDeaf
            ? { receive: (_, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve([]))) }
            : receiving(subscription, (delivery) => delivery),
      });
    },
  },
  {
    promise: 18,
    name: "keeps the consumers of lost connections",
    wrap(backend) {
      const open = new WeakMap<Session, number>();
      const change = (session: Session, by: number): void => void open.set(session, (open.get(session) ?? 0) + by);
      return wrapped(backend, {
        // Only a session that was lost still has open subscriptions when it is closed.
        session: (session) => ({
          close: async () => ((open.get(session) ?? 0) > 0 ? void setTimeout(() => void session.close(), 60_000).unref() : session.close()),
        }),
        subscription(subscription, session) {
          change(session, 1);
          return {
            async close() {
              change(session, -1);
              await subscription.close();
            },
          };
        },
      });
    },
  },
  {
    promise: 20,
    name: "throws away at close what had not started",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => settlingWith(subscription, (outcome) => (outcome.type === "release" ? { type: "ack" } : outcome)),
      }),
  },
  {
    promise: 20,
    name: "loses acks that are not yet flushed at close",
    wrap: (backend) =>
      wrapped(backend, {
        subscription(subscription) {
          let isClosed = false;
          return {
            async settle(settlements) {
              setTimeout(() => isClosed || subscription.settle(settlements).catch(() => undefined), 60);
              return undefined;
            },
            close() {
              isClosed = true;
              return subscription.close();
            },
          };
        },
      }),
  },
  {
    promise: 20,
    name: "has nothing against an empty settlement after its session was closed",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => ({
          settle: (settlements) => (settlements.length === 0 ? Promise.resolve(undefined) : subscription.settle(settlements)),
        }),
      }),
  },
  {
    promise: 20,
    name: "lets publishes hang that come after its close",
    wrap: (backend) =>
      wrapped(backend, {
        session(session) {
          let isClosed = false;
          return {
            publish: (messages, request) => (isClosed ? new Promise(() => undefined) : session.publish(messages, request)),
            close() {
              isClosed = true;
              return session.close();
            },
          };
        },
      }),
  },
  {
    promise: 19,
    name: "leaves the members of a removed group waiting",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) => ({
          receive: (max, signal) =>
            subscription.receive(max, signal).catch(() => new Promise((resolve) => signal.addEventListener("abort", () => resolve([])))),
        }),
      }),
  },
  {
    promise: 15,
    name: "hands over what no pattern matches",
    wrap: (backend) =>
      wrapped(backend, { request: (request) => ({ ...request, patterns: request.patterns.map(({ text }) => parsePattern(text.replaceAll("*", "#"))) }) }),
  },
];
