/** One session on a hub: what it opened ends with it, and what it held goes back. */
import type {
  Admin,
  BackendSubscription,
  Capabilities,
  DeadLetters,
  History,
  Host,
  PublishRequest,
  PublishStatus,
  Session,
  SubscribeRequest,
  WireMessage,
} from "@halyard/core/spi";
import { adminOf } from "./admin.ts";
import { assertAlive, deadLettersOf, sessionEnded } from "./dead-letter-walk.ts";
import { historyOf } from "./history.ts";
import type { HubDriver } from "./hub-driver.ts";
import { MemorySubscription } from "./subscription.ts";

export class MemorySession implements Session {
  readonly capabilities: Capabilities;
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history: History | undefined;
  readonly #driver: HubDriver;
  readonly #host: Host;
  readonly #ended = new AbortController();
  readonly #subscriptions = new Set<MemorySubscription>();
  readonly #onClose: () => void;
  #resolveClosed: (error: undefined) => void = () => undefined;

  constructor(driver: HubDriver, host: Host, capabilities: Capabilities, onClose: () => void) {
    const ended = this.#ended.signal;
    this.capabilities = capabilities;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.deadLetters = deadLettersOf(driver, ended);
    this.admin = adminOf(driver, ended);
    this.history = driver.hub.history === undefined ? undefined : historyOf(driver.hub.history, ended);
    this.#driver = driver;
    this.#host = host;
    this.#onClose = onClose;
    driver.attach(host);
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    if (this.#ended.signal.aborted) return Promise.reject(sessionEnded());
    return this.#driver.persist(this.#driver.apply("publish", { messages, request }));
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    assertAlive(signal, this.#ended.signal);
    const subscription = new MemorySubscription(this.#driver, this.#host, request, (closed) => this.#subscriptions.delete(closed));
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    for (const subscription of this.#subscriptions) subscription.lose(sessionEnded());
    this.#subscriptions.clear();
    this.#driver.detach(this.#host);
    this.#onClose();
    this.#resolveClosed(undefined);
  }
}
