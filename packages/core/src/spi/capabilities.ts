/** Facts that no signature shows. The conformance kit fails a backend that behaves otherwise. */
export interface Capabilities {
  /** Accepted messages of groups survive the death of the broker. */
  readonly durable: boolean;
  /** How long a repeated id on one topic is recognised; 0: never. */
  readonly dedupMs: number;
  /** Order per topic is kept. */
  readonly orderedTopics: boolean;
  /** `exclusive` groups are supported. */
  readonly exclusive: boolean;
  /** 1: none. 10: each of 0–9 is a level of its own. */
  readonly priorityLevels: number;
  /** Longest delay; 0: delays are not supported. */
  readonly delayMsMax: number;
  /** A delay of `d` ms comes after `d` and before `d + max(floorMs, d × ratio)` on an idle broker. */
  readonly delayLateness: { readonly ratio: number; readonly floorMs: number };
  /** Whether `Delivery.deliveries` counts. False: no crash budget. */
  readonly countsDeliveries: boolean;
  /** Longest time a handler may hold a message (e.g. RabbitMQ's consumer_timeout); undefined: no limit. */
  readonly handlerMsMax: number | undefined;
  /** Where a new group may start besides `"new"`. */
  readonly startsAt: { readonly earliest: boolean; readonly time: boolean };
  /** Largest encoded body. */
  readonly bodyBytesMax: number;
  /** Payloads are handed over by reference: `WireMessage.value` is used and `body` is empty. */
  readonly carriesValues: boolean;
  /** `persistent: false` makes a difference per message. */
  readonly persistentByMessage: boolean;
}
