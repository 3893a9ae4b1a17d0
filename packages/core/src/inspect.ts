/** `bus.inspect()` and `bus.health()`: the truth as far as the broker tells it. */
import type { Clock } from "./clock.ts";
import { HalyardError } from "./errors.ts";
import type { ControlCall } from "./groups.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { Session } from "./spi/backend.ts";
import type { Capabilities } from "./spi/capabilities.ts";
import type { GroupInfo } from "./spi/control.ts";
import type { Subscription, SubscriptionStats } from "./subscription.ts";
import { asError, withDeadline } from "./waiting.ts";

export interface Inspection {
  readonly namespace: string;
  readonly backend: string;
  readonly capabilities: Capabilities;
  /** `undefined` where the broker does not list them. */
  readonly groups: readonly GroupInfo[] | undefined;
  readonly topics: readonly { readonly topic: string; readonly stored: number | undefined }[] | undefined;
  /** Of this bus. */
  readonly subscriptions: readonly {
    readonly patterns: readonly string[];
    readonly group: string | undefined;
    readonly state: Subscription["state"];
    readonly stats: SubscriptionStats;
  }[];
  /** Publishes of this bus that wait for acceptance. */
  readonly publishing: { readonly messages: number; readonly bytes: number };
}

export interface Health {
  /** A probe went round on the publishing path within the deadline. */
  readonly healthy: boolean;
  readonly backend: string;
  readonly connected: boolean;
  /** Of the probe. */
  readonly latencyMs: number | undefined;
  /** Why it is not healthy. */
  readonly error: Error | undefined;
  /** Settings of the broker that endanger what Halyard promises. */
  readonly warnings: readonly string[];
}

export interface InspectParts {
  readonly namespace: string;
  readonly backend: string;
  readonly keeper: SessionKeeper;
  readonly clock: Clock;
  readonly call: ControlCall;
  subscriptions(): Iterable<Subscription>;
  publishing(): { readonly messages: number; readonly bytes: number };
}

export function inspect(parts: InspectParts): Promise<Inspection> {
  return parts.call("Inspecting the broker", async (session, signal) => {
    const [groups, topics] = await Promise.all([session.admin.groups(signal), session.admin.topics(signal)]);
    const subscriptions = Array.from(parts.subscriptions(), (subscription) => ({
      patterns: subscription.patterns,
      group: subscription.group,
      state: subscription.state,
      stats: subscription.stats(),
    }));
    return {
      namespace: parts.namespace,
      backend: parts.backend,
      capabilities: session.capabilities,
      groups,
      topics,
      subscriptions,
      publishing: parts.publishing(),
    };
  });
}

export async function health(parts: InspectParts, timeoutMs: number): Promise<Health> {
  const session = parts.keeper.current;
  const { backend, clock } = parts;
  if (session === undefined) {
    const error = parts.keeper.lastError ?? new HalyardError("CLOSED", "The bus is closed.");
    return { healthy: false, backend, connected: false, latencyMs: undefined, error, warnings: [] };
  }
  const startMs = clock.monotonicMs();
  try {
    await withDeadline(clock, timeoutMs, "The health probe", (signal) => session.admin.ping(signal));
    const latencyMs = clock.monotonicMs() - startMs;
    return { healthy: true, backend, connected: true, latencyMs, error: undefined, warnings: await warningsOf(session, clock, timeoutMs) };
  } catch (thrown) {
    return { healthy: false, backend, connected: parts.keeper.current !== undefined, latencyMs: undefined, error: asError(thrown), warnings: [] };
  }
}

/** A message went round: that the settings cannot be read does not make it untrue. */
async function warningsOf(session: Session, clock: Clock, timeoutMs: number): Promise<readonly string[]> {
  try {
    return await withDeadline(clock, timeoutMs, "Reading the broker's settings", (signal) => session.admin.warnings(signal));
  } catch (thrown) {
    return [`The broker's settings could not be read, so nobody knows whether they endanger anything: ${asError(thrown).message}`];
  }
}
