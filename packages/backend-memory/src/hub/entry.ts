import type { Delivery, WireMessage } from "@halyard/core/spi";
import type { Consumer } from "./consumer.ts";
import type { Group } from "./group.ts";

/**
 * One copy of a message in one group, or in one live buffer: the only object the hub makes per message and group. Handed out, it *is* the delivery
 * and its own receipt. A copy that comes back continues as a new entry, so that an old receipt can never settle a later hand-over.
 */
export class Entry implements Delivery {
  readonly message: WireMessage;
  /** Missing: a copy for live subscriptions. */
  readonly group: Group | undefined;
  /** What it counts for in `bytesMax`. */
  readonly bytes: number;
  deliveries: number;
  /** Place in the order of its queue; given when it is queued, kept when it comes back. */
  sequence = 0;
  /** Who holds it, unsettled; missing: nobody. */
  holder: Consumer | undefined = undefined;
  /** Where it lies in the holder's list. */
  slot = 0;

  constructor(message: WireMessage, group: Group | undefined, bytes: number, deliveries: number) {
    this.message = message;
    this.group = group;
    this.bytes = bytes;
    this.deliveries = deliveries;
  }

  get receipt(): Entry {
    return this;
  }

  /** The same copy for its next hand-over, at its old place in the order. */
  again(): Entry {
    const entry = new Entry(this.message, this.group, this.bytes, this.deliveries);
    entry.sequence = this.sequence;
    return entry;
  }
}
