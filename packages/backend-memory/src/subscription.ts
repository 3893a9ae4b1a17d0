/** One subscription of a session: promises around a consumer of the hub. */
import { type BackendSubscription, type Delivery, HalyardError, type Host, type Settlement, type SettleStatus, type SubscribeRequest } from "@halyard/core/spi";
import type { Consumer, ConsumerClient } from "./hub/consumer.ts";
import type { HubDriver } from "./hub-driver.ts";

const nothing: Promise<readonly Delivery[]> = Promise.resolve(Object.freeze([]));

interface Pending {
  readonly resolve: (deliveries: readonly Delivery[]) => void;
  readonly reject: (error: Error) => void;
}

export class MemorySubscription implements BackendSubscription, ConsumerClient {
  readonly lease: BackendSubscription["lease"];
  readonly #driver: HubDriver;
  readonly #host: Host;
  readonly #groupName: string | undefined;
  readonly #consumer: Consumer;
  readonly #onClose: (subscription: MemorySubscription) => void;
  #pending: Pending | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;
  #isClosed = false;
  /** Why `receive` rejects: the group was removed, or the session ended. */
  #failure: HalyardError | undefined = undefined;

  constructor(driver: HubDriver, host: Host, request: SubscribeRequest, onClose: (subscription: MemorySubscription) => void) {
    this.#driver = driver;
    this.#host = host;
    this.#groupName = request.group?.name;
    this.#onClose = onClose;
    this.#consumer = driver.apply("subscribe", { request, client: this });
    const { leaseMs } = this.#consumer;
    this.lease =
      leaseMs === undefined
        ? undefined
        : { durationMs: leaseMs, extend: (receipts) => this.#whileOpen(() => driver.apply("extend", { consumer: this.#consumer, receipts })) };
  }

  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isClosed || signal.aborted) return nothing;
    if (this.#pending !== undefined) return Promise.reject(new HalyardError("BUSY", "One receive at a time: wait for the one before."));
    const deliveries = this.#driver.apply("receive", { consumer: this.#consumer, max: Math.max(1, max) });
    return deliveries.length > 0 ? Promise.resolve(deliveries) : this.#wait(signal);
  }

  credit(inFlightMax: number): void {
    if (!this.#isClosed && this.#failure === undefined) this.#driver.apply("credit", { consumer: this.#consumer, inFlightMax });
  }

  settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure?.code === "CONNECTION_LOST") return Promise.reject(this.#failure);
    // After close or removal nothing is held any more, and the hub answers `stale` by itself.
    return this.#driver.persist(this.#driver.apply("settle", { consumer: this.#consumer, settlements }));
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#driver.apply("unsubscribe", { consumer: this.#consumer });
      this.#finish()?.resolve([]);
      this.#onClose(this);
    }
    return Promise.resolve();
  }

  /** The session has ended: what is held goes back, and every call from now on rejects. */
  lose(error: HalyardError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = error;
    this.#driver.apply("unsubscribe", { consumer: this.#consumer });
    this.#finish()?.reject(error);
  }

  ready(deliveries: readonly Delivery[]): void {
    this.#take()?.resolve(deliveries);
  }

  gap(count: number): void {
    this.#host.report({ type: "gap", subscription: this, count });
  }

  removed(): void {
    const name = this.#groupName ?? "";
    this.#failure = new HalyardError("GROUP_REMOVED", `The group "${name}" was removed. Subscribe again to make it anew.`, { details: { group: name } });
    this.#finish()?.reject(this.#failure);
  }

  #wait(signal: AbortSignal): Promise<readonly Delivery[]> {
    this.#listen(signal);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  /** Core passes the same signal for many calls: one listener serves them all, instead of one made and removed per call. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => {
    this.#driver.apply("stopReceive", { consumer: this.#consumer });
    this.#take()?.resolve([]);
  };

  #take(): Pending | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending;
  }

  #finish(): Pending | undefined {
    this.#listen(undefined);
    return this.#take();
  }

  async #whileOpen<Result>(run: () => Result): Promise<Result> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    return run();
  }
}
