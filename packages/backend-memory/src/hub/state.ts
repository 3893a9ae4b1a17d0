/** All that one hub knows. The functions beside this file read and change it; nothing else does. */
import type { WireMessage } from "@halyard/core/spi";
import type { Effects, Now } from "./commands.ts";
import { Letters } from "./dead-letters.ts";
import { DedupLog } from "./dedup.ts";
import { DueHeap } from "./delayed.ts";
import { Entry } from "./entry.ts";
import { Fingerprints } from "./fingerprint.ts";
import type { Group } from "./group.ts";
import { type HistoryLimits, HistoryRing } from "./history.ts";
import { Room } from "./room.ts";
import { Routes } from "./routes.ts";
import { MessageSize } from "./size.ts";

export interface HubSettings {
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly bodyBytesMax: number;
  readonly dedupMs: number;
  readonly dedupIdsMax: number;
  readonly history: false | HistoryLimits;
  readonly leaseMs: number | undefined;
}

export class HubState {
  readonly settings: HubSettings;
  readonly #touched: Group[] = [];
  readonly groups = new Map<string, Group>();
  readonly letters = new Map<string, Letters>();
  readonly delayed = new DueHeap();
  readonly sizes = new MessageSize();
  readonly effects: Effects = { ready: [], gaps: [], removed: [], warnings: [] };
  readonly routes: Routes;
  readonly room: Room;
  readonly dedup: DedupLog;
  readonly history: HistoryRing | undefined;
  /** When leases are looked at next; monotonic. */
  leaseDueMs = Number.POSITIVE_INFINITY;
  /** No stored message expires before; wall clock. */
  earliestExpiryMs = Number.POSITIVE_INFINITY;
  /** When memory was last searched for expired messages; monotonic. */
  expirySearchMs = Number.NEGATIVE_INFINITY;

  constructor(settings: HubSettings, random: () => number) {
    const fingerprints = new Fingerprints(random);
    this.settings = settings;
    this.routes = new Routes((topic) => fingerprints.ofTopic(topic));
    this.room = new Room(settings);
    this.dedup = new DedupLog({ windowMs: settings.dedupMs, idsMax: settings.dedupIdsMax, fingerprints });
    this.history = settings.history === false ? undefined : new HistoryRing(settings.history);
  }

  lettersOf(group: string): Letters {
    let letters = this.letters.get(group);
    if (letters === undefined) {
      letters = new Letters();
      this.letters.set(group, letters);
    }
    return letters;
  }

  /** A copy into a group, now or after a delay. The room is the caller's to check. */
  store(group: Group, message: WireMessage, bytes: number, delayMs: number, now: Now): void {
    const entry = new Entry(message, group, bytes, 0);
    this.room.add(bytes);
    if (message.expiresAtMs !== undefined && message.expiresAtMs < this.earliestExpiryMs) this.earliestExpiryMs = message.expiresAtMs;
    if (delayMs > 0) {
      group.delayed++;
      this.delayed.push(entry, now.monotonicMs + delayMs);
    } else {
      group.queue.push(entry);
      if (group.waiting > 0) this.touch(group);
    }
  }

  touch(group: Group): void {
    if (group.isTouched) return;
    group.isTouched = true;
    this.#touched.push(group);
  }

  /** The last step of every command: what waits goes to those who wait for it. */
  dispatchTouched(now: Now): void {
    for (let group = this.#touched.pop(); group !== undefined; group = this.#touched.pop()) {
      group.isTouched = false;
      group.dispatch(now.monotonicMs, this.effects.ready);
    }
  }
}

/** How long a message has to wait by its own field, milliseconds; 0: it is due. */
export const delayOf = (message: WireMessage, now: Now): number => (message.notBeforeMs === undefined ? 0 : Math.max(0, message.notBeforeMs - now.wallMs));
