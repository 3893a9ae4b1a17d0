/**
 * A line that can be broken between core and any backend, for backends without a wire: calls in progress reject, `closed` resolves with an error,
 * replies get lost, new sessions are refused. Underneath, the real session is closed, so the broker sees a consumer that has gone.
 */
import { type Backend, type BackendSubscription, type DeadLetters, HalyardError, type Session } from "@halyard/core/spi";
import type { LineControls } from "./faults.ts";
import { hostNaming, type Wrappers } from "./wrappers.ts";

export class Seam implements LineControls {
  readonly backend: Backend;
  readonly #sessions = new Set<SeamSession>();
  readonly wrappers: Wrappers = new WeakMap();
  #isRefusing = false;
  #isStalled = false;
  #wakers: (() => void)[] = [];

  constructor(inner: Backend) {
    this.backend = {
      specVersion: 1,
      name: inner.name,
      connect: async (host, signal) => {
        await this.passage();
        if (this.#isRefusing) throw new HalyardError("CONNECT_FAILED", "The testkit refuses connections for now.");
        const session = new SeamSession(await inner.connect(hostNaming(host, this.wrappers), signal), this, () => this.#sessions.delete(session));
        if (this.#isRefusing) session.lose();
        else this.#sessions.add(session);
        return session;
      },
    };
  }

  /** Waits while the line is stalled. */
  async passage(): Promise<void> {
    while (this.#isStalled) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  cut(): void {
    this.resetLater()();
  }

  reset(): void {
    this.cut();
  }

  resetLater(): () => void {
    const sessions = [...this.#sessions];
    return () => {
      for (const session of sessions) session.lose();
    };
  }

  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    for (const wake of this.#wakers.splice(0)) wake();
  }

  loseReplies(count = 1): void {
    for (const session of this.#sessions) session.repliesToLose = count;
  }

  refuse(): void {
    this.#isRefusing = true;
  }

  accept(): void {
    this.#isRefusing = false;
  }

  heal(): void {
    this.accept();
    this.loseReplies(0);
    this.resume();
  }
}

const lost = (): HalyardError => new HalyardError("CONNECTION_LOST", "The testkit cut the line.");

class SeamSession implements Session {
  readonly capabilities: Session["capabilities"];
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Session["admin"];
  readonly history: Session["history"];
  repliesToLose = 0;
  readonly #inner: Session;
  readonly #seam: Seam;
  readonly #onEnd: () => void;
  readonly #ended: Promise<never>;
  #hasEnded = false;
  #end: (error: HalyardError) => void = () => undefined;
  #resolveClosed: (error: Error | undefined) => void = () => undefined;

  constructor(inner: Session, seam: Seam, onEnd: () => void) {
    this.#inner = inner;
    this.#seam = seam;
    this.#onEnd = onEnd;
    this.capabilities = inner.capabilities;
    this.#ended = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.#ended.catch(() => undefined); // nobody need be calling when the line breaks
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    void inner.closed.then((error) => this.#finish(error));
    this.deadLetters = this.#guarded(inner.deadLetters);
    this.admin = this.#guarded(inner.admin);
    this.history = inner.history === undefined ? undefined : this.#guarded(inner.history);
  }

  publish: Session["publish"] = (messages, request) => this.call(() => this.#inner.publish(messages, request), true);

  subscribe: Session["subscribe"] = async (request, signal) => {
    const subscription = await this.call(() => this.#inner.subscribe(request, signal), true);
    const wrapper = new SeamSubscription(subscription, this);
    this.#seam.wrappers.set(subscription, wrapper);
    return wrapper;
  };

  get isOver(): boolean {
    return this.#hasEnded;
  }

  async close(): Promise<void> {
    await this.#inner.close();
    this.#finish(undefined);
  }

  lose(): void {
    this.#finish(lost());
    this.#inner.close().catch(() => undefined); // a line that is cut has nobody to tell
  }

  /** One request over the line. Its reply may get lost: then it was done, and nobody knows. */
  async call<Result>(run: () => Promise<Result>, isLosable: boolean): Promise<Result> {
    const over = (async () => {
      await this.#seam.passage();
      if (this.#hasEnded) throw lost();
      const result = await run();
      if (isLosable && this.repliesToLose > 0 && --this.repliesToLose === 0) this.lose();
      await this.#seam.passage();
      return result;
    })();
    over.catch(() => undefined); // answered by the race, also when the line breaks first
    const result = await Promise.race([this.#ended, over]);
    if (this.#hasEnded) throw lost();
    return result;
  }

  #finish(error: Error | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd();
    this.#end(lost());
    this.#resolveClosed(error);
  }

  #guarded<Target extends object>(target: Target): Target {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => this.call(async () => (await Reflect.apply(value, object, args)) as unknown, name !== "walk");
      },
    });
  }
}

class SeamSubscription implements BackendSubscription {
  readonly lease: BackendSubscription["lease"];
  readonly #inner: BackendSubscription;
  readonly #session: SeamSession;

  constructor(inner: BackendSubscription, session: SeamSession) {
    this.#inner = inner;
    this.#session = session;
    const { lease } = inner;
    this.lease = lease && { durationMs: lease.durationMs, extend: (receipts) => session.call(() => lease.extend(receipts), true) };
  }

  receive: BackendSubscription["receive"] = (max, signal) => this.#session.call(() => this.#inner.receive(max, signal), false);
  settle: BackendSubscription["settle"] = (settlements) => this.#session.call(() => this.#inner.settle(settlements), true);
  credit: BackendSubscription["credit"] = (inFlightMax) => this.#inner.credit(inFlightMax);

  /** On a session that is over it is closed already. */
  async close(): Promise<void> {
    try {
      await this.#session.call(() => this.#inner.close(), false);
    } catch (error) {
      if (!this.#session.isOver) throw error;
    }
  }
}
