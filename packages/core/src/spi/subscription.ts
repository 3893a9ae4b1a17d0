import type { TopicPattern } from "../pattern.ts";
import type { Delivery, Settlement, SettleStatus } from "./message.ts";

export interface SubscribeRequest {
  /** At least one. A message that matches several arrives once. */
  readonly patterns: readonly TopicPattern[];
  /** Most unsettled deliveries, over all the backend's sources (topic copies and inbox) together. For a live subscription: the size of its buffer. */
  readonly inFlightMax: number;
  /** Missing: a live subscription, gets its own copy of what is published while it is connected. */
  readonly group?: GroupRequest | undefined;
}

export interface GroupRequest {
  readonly name: string;
  /** Counts only when this call creates the group. */
  readonly from: "new" | "earliest" | { readonly timeMs: number };
  /** Of the members that ask for this, over all sessions, one is active and the others wait and take over. Who does not ask competes beside it. */
  readonly exclusive: boolean;
  /** The broker may remove a group that has had no member for so long. */
  readonly idleExpiryMs?: number | undefined;
}

export interface BackendSubscription {
  /**
   * Waits for one, returns 1..max. One call at a time. Resolves empty only after the abort of `signal` or `close`; what arrives during an
   * abort waits for the next call. Rejects when the session ended, and with `GROUP_REMOVED` when the group was removed.
   */
  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]>;
  /**
   * From now on at most `inFlightMax` (0..request.inFlightMax) unsettled deliveries are fetched from the broker. A group subscription begins
   * at 1, a live one at its full buffer; core opens it up after the first delivery that is not a crash suspect. Lowering it gives back nothing by
   * itself, but 0 does: nothing more is fetched, and what was fetched and not received yet goes back to the group (a pause, or closing).
   */
  credit(inFlightMax: number): void;
  /** Does what the outcomes say. `undefined` = all done. Repeating a settlement is harmless (`stale`). Rejects when the session ended. */
  settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined>;
  /** Where the broker takes back what is held too long. `extend` restarts the lease and returns the receipts that were already lost. */
  readonly lease?: { readonly durationMs: number; extend(receipts: readonly unknown[]): Promise<readonly unknown[]> } | undefined;
  /** Stops receiving and gives back what is unsettled. Idempotent. */
  close(): Promise<void>;
}
