/** What everything that wraps a backend needs: core knows subscriptions by what it was given, so events must name the wrapper. */
import type { BackendSubscription, Host } from "@halyard/core/spi";

/** From the backend's own subscription to what core was given. */
export type Wrappers = WeakMap<BackendSubscription, BackendSubscription>;

/** The same host for the wrapped backend, with subscriptions in events exchanged for their wrappers. */
export function hostNaming(host: Host, wrappers: Wrappers): Host {
  const report: Host["report"] = (event) => {
    const subscription = event.type === "gap" ? wrappers.get(event.subscription) : undefined;
    host.report(event.type === "gap" && subscription !== undefined ? { ...event, subscription } : event);
  };
  return { namespace: host.namespace, clientName: host.clientName, clock: host.clock, random: host.random, report };
}
