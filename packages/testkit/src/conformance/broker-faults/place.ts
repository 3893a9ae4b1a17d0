/** What `describeBrokerFaults` is told about a backend and its broker. */
import type { BusOptions, UntypedTopics } from "@halyard/core";
import type { Backend } from "@halyard/core/spi";
import type { Broker } from "../../brokers/broker.ts";

/** One case's namespace on the broker, which is shared by all cases and runs, or is down, as the case has it. */
export interface BrokerPlace<Kind extends Broker = Broker> {
  readonly namespace: string;
  readonly broker: Kind;
}

export interface BrokerUnderTest<Kind extends Broker = Broker> {
  /** Starts a broker that the suite may kill, e.g. `() => startRedis({ isOwned: true })`. Called once. */
  start(): Promise<Kind>;
  /** A backend on that broker. */
  create(place: BrokerPlace<Kind>): Backend | Promise<Backend>;
  /** For consumers in processes of their own, which are killed. */
  readonly processes?: {
    /** A JavaScript module that exports `createBackend(config)`, which returns a `Backend` or a promise of one. */
    readonly module: URL;
    /** What `createBackend` gets, as JSON. Default `{ url: broker.url }`. */
    config?(place: BrokerPlace<Kind>): unknown;
  };
  /** Makes the broker refuse messages for want of room, and ends that: memory alarm, `maxmemory`, discard-new. */
  readonly pressure?: { begin(place: BrokerPlace<Kind>): Promise<void>; end(place: BrokerPlace<Kind>): Promise<void> };
  /** Deletes the group's queue, stream or consumer behind Halyard's back. */
  destroyGroup?(place: BrokerPlace<Kind>, group: string): Promise<void>;
  /** Removes what a namespace left on the broker. Not needed for a broker that the suite started. */
  sweep?(place: BrokerPlace<Kind>): Promise<void>;
  /**
   * How long the broker keeps acks in memory before it writes them down, milliseconds: when it is killed, what was acked within that time may come again.
   * Default 0: it writes an ack down before the message can be gone.
   */
  readonly ackLossMs?: number;
  /**
   * How long the broker takes until what was just declared survives a kill, milliseconds; no case kills sooner. Default 0. RabbitMQ 3.10 writes the names of
   * new quorum queues down a second or two later, and a queue whose name is lost stays without a leader for ever (rabbitmq-server#15725).
   */
  readonly settleMs?: number;
  /** Added to the options of every bus; what cannot be said in JSON does not reach the processes. */
  readonly busOptions?: Partial<Omit<BusOptions<UntypedTopics>, "backend" | "namespace" | "topics">>;
}
