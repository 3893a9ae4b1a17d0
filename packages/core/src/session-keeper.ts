/**
 * The only reconnection in the repository. The keeper holds the one current session; whoever needs one asks for it and waits. When a session
 * ends, everything that hangs on it learns it through its own calls (they reject), asks again, and gets the next one.
 *
 * Road not taken: letting client libraries reconnect by themselves. Each does it differently (listeners that pile up, acks sent on the wrong
 * channel, subscriptions that come back twice), and none can be tested by one suite.
 */
import type { Clock } from "./clock.ts";
import { HalyardError, isHalyardError } from "./errors.ts";
import type { Backend, Host, Session } from "./spi/backend.ts";
import { asError, type Deferred, deferred, endsWithin, sharedAbort, sleep, withDeadline } from "./waiting.ts";

const reconnectDelayMsMin = 100;
/** The last attempt of a start has this long at least, whatever is left of `startTimeoutMs`: enough to hear why it fails. */
const lastAttemptMsMin = 1_000;
/** A session that lived for so long was no failure, even if nothing was asked of it. */
const steadyMs = 10_000;
/** Longest wait between two connection attempts: a broker that comes back is noticed within a quarter of a minute. */
export const reconnectDelayMsMax = 15_000;

export interface KeeperOptions {
  readonly backend: Backend;
  readonly host: Host;
  readonly clock: Clock;
  readonly random: () => number;
  /** For one attempt to connect. */
  readonly connectTimeoutMs: number;
  /** How long the first connection is tried. */
  readonly startTimeoutMs: number;
  readonly onConnected: (session: Session, isFirst: boolean) => void;
  readonly onLost: (error: Error) => void;
  readonly onConnectFailed: (error: Error, attempt: number) => void;
}

export class SessionKeeper {
  readonly #options: KeeperOptions;
  readonly #closing = sharedAbort();
  #current: Session | undefined;
  #next: Deferred<Session> = deferred();
  #lastError: Error | undefined;
  #loop: Promise<void> = Promise.resolve();
  #sessions = 0;
  /** Failures in a row: attempts that failed, and sessions that ended before they had been of use. */
  #failures = 0;
  #isProven = false;
  #openedMs = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#next.promise.catch(() => undefined); // nobody may be waiting when the bus closes
  }

  /** The session of this moment, if there is one. */
  get current(): Session | undefined {
    return this.#current;
  }

  /** Why there is no session, or why the last one ended. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Sessions opened so far. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Makes the first connection, tried again for `startTimeoutMs`. Rejects with the error of the last attempt. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const { clock, startTimeoutMs } = this.#options;
    const giveUpMs = clock.monotonicMs() + startTimeoutMs;
    const abort = (): void => this.#closing.abort();
    signal?.addEventListener("abort", abort);
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const session = await this.#connect(signal, Math.max(lastAttemptMsMin, giveUpMs - clock.monotonicMs()));
          this.#adopt(session);
          return;
        } catch (thrown) {
          const error = asError(thrown);
          this.#lastError = error;
          const restMs = giveUpMs - clock.monotonicMs();
          if (signal?.aborted || restMs <= 0 || !isWorthRetrying(error)) throw error;
          this.#options.onConnectFailed(error, attempt);
          await sleep(clock, Math.min(this.#delayMs(attempt), restMs), this.#closing.signal);
        }
      }
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** The current session, or the next one. Rejects with `CLOSED` when the bus closes and `ABORTED` when `signal` aborts. */
  async session(signal: AbortSignal): Promise<Session> {
    if (this.#current !== undefined) return this.#current;
    if (signal.aborted) throw new HalyardError("ABORTED", "Waiting for a connection was aborted.");
    let abort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(new HalyardError("ABORTED", "Waiting for a connection was aborted."));
      signal.addEventListener("abort", abort);
    });
    try {
      return await Promise.race([this.#next.promise, aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Called by who was served: the next loss is the first of a row. A broker that lets us in and drops us is not called ten times a second. */
  prove(session: Session): void {
    if (session === this.#current) this.#isProven = true;
  }

  /** Called by who saw `session` fail in a way that only an ended session can: the next one is asked for at once. */
  discard(session: Session, error: Error): void {
    if (this.#current !== session) return;
    this.#lose(session, error);
    void session.close().catch(() => undefined); // it is over already; closing only frees what it holds
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return this.#loop;
    this.#closing.abort();
    const session = this.#current;
    this.#current = undefined;
    this.#next.reject(new HalyardError("CLOSED", "The bus is closed."));
    await this.#loop;
    // A peer that does not answer any more must not hold up the end of the bus; an error of an ending session has no one to act on it.
    if (session !== undefined) await endsWithin(this.#options.clock, this.#options.connectTimeoutMs, session.close());
  }

  async #connect(outer: AbortSignal | undefined, timeoutMsMax: number): Promise<Session> {
    const { backend, host, clock, connectTimeoutMs } = this.#options;
    try {
      return await withDeadline(
        clock,
        Math.min(connectTimeoutMs, timeoutMsMax),
        `Connecting to ${backend.name}`,
        async (signal) => {
          const session = await backend.connect(host, signal);
          // A session that comes after the deadline belongs to nobody: it must not stay open.
          if (signal.aborted) await session.close();
          return session;
        },
        outer ?? this.#closing.signal,
      );
    } catch (thrown) {
      if (isHalyardError(thrown, "TIMEOUT"))
        throw new HalyardError("TIMEOUT", `${thrown.message} Nobody answered there, or not as expected: check address, port, TLS and firewall.`, {
          cause: thrown,
        });
      if (isHalyardError(thrown)) throw thrown;
      throw new HalyardError("CONNECT_FAILED", `Connecting to ${backend.name} failed: ${asError(thrown).message}`, { cause: thrown });
    }
  }

  #adopt(session: Session): void {
    if (this.#closing.signal.aborted) {
      void session.close().catch(() => undefined); // the bus closed while we connected
      return;
    }
    const isFirst = this.#sessions === 0;
    this.#sessions++;
    this.#current = session;
    this.#isProven = false;
    this.#openedMs = this.#options.clock.monotonicMs();
    this.#lastError = undefined;
    const waiting = this.#next;
    this.#next = deferred();
    this.#next.promise.catch(() => undefined);
    waiting.resolve(session);
    this.#options.onConnected(session, isFirst);
    void session.closed.then((error) => this.#lose(session, error ?? new HalyardError("CONNECTION_LOST", "The session ended.")));
  }

  #lose(session: Session, error: Error): void {
    if (this.#current !== session || this.#closing.signal.aborted) return;
    this.#current = undefined;
    this.#lastError = error;
    const wasOfUse = this.#isProven || this.#options.clock.monotonicMs() - this.#openedMs >= steadyMs;
    this.#failures = wasOfUse ? 1 : this.#failures + 1;
    this.#options.onLost(error);
    this.#loop = this.#reconnect();
  }

  /** Never gives up: a broker may be away for hours. What cannot be helped by trying (wrong credentials) is tried at the longest delay only. */
  async #reconnect(): Promise<void> {
    const closing = this.#closing.signal;
    for (let attempt = 1; !closing.aborted; attempt++, this.#failures++) {
      await sleep(this.#options.clock, this.#delayMs(this.#failures), closing);
      if (closing.aborted) return;
      try {
        this.#adopt(await this.#connect(undefined, Number.POSITIVE_INFINITY));
        return;
      } catch (thrown) {
        this.#lastError = asError(thrown);
        if (!closing.aborted) this.#options.onConnectFailed(this.#lastError, attempt);
      }
    }
  }

  /** Full jitter over the upper half: many clients of one broker do not come back in the same moment. */
  #delayMs(attempt: number): number {
    const isHopeless = this.#lastError !== undefined && !isWorthRetrying(this.#lastError);
    const delayMs = isHopeless ? reconnectDelayMsMax : Math.min(reconnectDelayMsMax, reconnectDelayMsMin * 2 ** (attempt - 1));
    return delayMs * (0.5 + 0.5 * this.#options.random());
  }
}

function isWorthRetrying(error: Error): boolean {
  return !isHalyardError(error) || error.retryable;
}
