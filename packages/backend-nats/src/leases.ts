/** Tells the server that what is held is still worked on. */
import type { Clock } from "@halyard/core/spi";
import type { NatsConnection } from "@nats-io/transport-node";
import { inProgress, Receipt } from "./receipts.ts";
import type { RoundTrips } from "./round-trips.ts";

export interface LeasesParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  /** How long our own lease lasts; a little shorter than the server's. */
  readonly leaseMs: number;
}

/** Returns the receipts that are not held any more, or have lapsed: the server may have given those to somebody else. */
export async function extendLeases(receipts: readonly unknown[], held: ReadonlySet<Receipt>, parts: LeasesParts): Promise<readonly unknown[]> {
  const { connection, clock, roundTrips, leaseMs } = parts;
  const nowMs = clock.monotonicMs();
  const extended = receipts.filter((receipt): receipt is Receipt => receipt instanceof Receipt && held.has(receipt) && receipt.leaseUntilMs > nowMs);
  for (const { reply } of extended) connection.publish(reply, inProgress);
  if (extended.length > 0) await roundTrips.flush();
  for (const receipt of extended) receipt.leaseUntilMs = nowMs + leaseMs;
  const kept = new Set<unknown>(extended);
  return receipts.filter((receipt) => !kept.has(receipt));
}
