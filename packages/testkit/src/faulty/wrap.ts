/** One wrapper around any backend, with places to break it. Without hooks it is the unbroken twin. */
import type { Backend, BackendSubscription, Delivery, Host, Session, Settlement, SettleStatus, SubscribeRequest } from "@halyard/core/spi";
import { hostNaming, type Wrappers } from "../conformance/wrappers.ts";

/** Each gets the real thing and returns what it does otherwise. */
export interface Hooks {
  connected?(host: Host): void;
  session?(session: Session, host: Host): Partial<Session>;
  /** What is asked of the real backend instead. */
  request?(request: SubscribeRequest, host: Host): SubscribeRequest;
  subscription?(subscription: BackendSubscription, session: Session, request: SubscribeRequest): Partial<BackendSubscription>;
}

export function wrapped(backend: Backend, hooks: Hooks): Backend {
  return {
    specVersion: 1,
    name: backend.name,
    async connect(host, signal) {
      const wrappers: Wrappers = new WeakMap();
      const session = await backend.connect(hostNaming(host, wrappers), signal);
      hooks.connected?.(host);
      return {
        capabilities: session.capabilities,
        closed: session.closed,
        publish: (messages, request) => session.publish(messages, request),
        subscribe: async (request, subscribeSignal) => {
          const asked = hooks.request?.(request, host) ?? request;
          const subscription = await session.subscribe(asked, subscribeSignal);
          const wrapper: BackendSubscription = {
            receive: (max, receiveSignal) => subscription.receive(max, receiveSignal),
            credit: (inFlightMax) => subscription.credit(inFlightMax),
            settle: (settlements) => subscription.settle(settlements),
            lease: subscription.lease,
            close: () => subscription.close(),
            ...hooks.subscription?.(subscription, session, request),
          };
          wrappers.set(subscription, wrapper);
          return wrapper;
        },
        deadLetters: session.deadLetters,
        admin: session.admin,
        history: session.history,
        close: () => session.close(),
        ...hooks.session?.(session, host),
      };
    },
  };
}

/** A control plane with some calls replaced; its own methods stay bound to it. */
export function replacing<Target extends object>(target: Target, overrides: Partial<Target>): Target {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.has(overrides, name) ? Reflect.get(overrides, name) : Reflect.get(object, name, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

/** `receive` that hands on only what `keep` says; the rest is acked away. */
export function receivingOnly(subscription: BackendSubscription, keep: (delivery: Delivery) => boolean): Partial<BackendSubscription> {
  return {
    async receive(max, signal) {
      for (;;) {
        const deliveries = await subscription.receive(max, signal);
        const kept = deliveries.filter(keep);
        const dropped = deliveries.filter((delivery) => !kept.includes(delivery));
        if (dropped.length > 0) await subscription.settle(dropped.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
        if (kept.length > 0 || deliveries.length === 0) return kept;
      }
    },
  };
}

/** `receive` that changes what it hands on. */
export function receiving(subscription: BackendSubscription, change: (delivery: Delivery) => Delivery): Partial<BackendSubscription> {
  // A delivery may be an object with a prototype of its own, which a spread would lose.
  const plain = ({ message, deliveries, receipt, position, raw }: Delivery): Delivery => ({ message, deliveries, receipt, position, raw });
  return { receive: async (max, signal) => (await subscription.receive(max, signal)).map((delivery) => change(plain(delivery))) };
}

/** `settle` that asks the real backend for something else. */
export function settling(subscription: BackendSubscription, change: (settlement: Settlement) => Settlement): Partial<BackendSubscription> {
  return { settle: (settlements): Promise<readonly SettleStatus[] | undefined> => subscription.settle(settlements.map(change)) };
}

/** `settle` with only the outcome changed. */
export function settlingWith(
  subscription: BackendSubscription,
  change: (outcome: Settlement["outcome"], receipt: unknown) => Settlement["outcome"],
): Partial<BackendSubscription> {
  return settling(subscription, ({ receipt, outcome }) => ({ receipt, outcome: change(outcome, receipt) }));
}
