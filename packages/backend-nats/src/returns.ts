/** What a member gives back, until the server has it. */
import type { NatsConnection } from "@nats-io/transport-node";
import { giveBackInOrder } from "./give-back.ts";
import { nak } from "./receipts.ts";
import type { RoundTrips } from "./round-trips.ts";

export interface ReturnsParts {
  readonly connection: NatsConnection;
  readonly roundTrips: RoundTrips;
  /** Present while requests are taken back: the server would lose what it gets back just then, see `pull-source.ts`. */
  cancelling(): Promise<void> | undefined;
}

export interface Returns {
  readonly isEmpty: boolean;
  add(reply: string): void;
  /** Gives back what was added, as soon as it can be. */
  flush(): void;
  /** For the end: gives back what was added and what is named, now. Never rejects. */
  end(replies: readonly string[]): Promise<void>;
}

/** Among competing members: at once, whoever gets it. */
export class PromptReturns implements Returns {
  readonly #parts: ReturnsParts;
  #replies: string[] = [];

  constructor(parts: ReturnsParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#replies.length === 0;
  }

  add(reply: string): void {
    this.#replies.push(reply);
    if (this.#replies.length === 1 || this.#parts.cancelling() === undefined) this.flush();
  }

  flush(): void {
    const { connection } = this.#parts;
    const cancelling = this.#parts.cancelling();
    if (cancelling !== undefined) {
      void cancelling.then(() => this.flush());
      return;
    }
    const replies = this.#replies;
    this.#replies = [];
    if (!connection.isClosed()) for (const reply of replies) connection.publish(reply, nak);
  }

  async end(replies: readonly string[]): Promise<void> {
    const { connection, roundTrips } = this.#parts;
    if (connection.isClosed()) return;
    for (const reply of replies) this.add(reply);
    this.flush();
    await roundTrips.flush().catch(() => undefined); // ended meanwhile: the server takes back what is held when its time is up
  }
}

export interface OrderedReturnsParts extends ReturnsParts {
  readonly timeoutMs: number;
  /** This member would get it itself again, and may. Else it is kept for whoever is next. */
  isAsking(): boolean;
  isWanted(): boolean;
  /** All is back: what is asked for from now on comes after it. */
  onDone(): void;
  /** The server does not answer. */
  onFailure(): void;
}

/** In an exclusive group: in order, and before anything more is asked for. */
export class OrderedReturns implements Returns {
  readonly #parts: OrderedReturnsParts;
  #replies: string[] = [];
  #isPlanned = false;
  #running: Promise<void> | undefined;

  constructor(parts: OrderedReturnsParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#replies.length === 0 && this.#running === undefined;
  }

  add(reply: string): void {
    this.#replies.push(reply);
    this.flush();
  }

  /** At the end of the turn, so that all that comes back in it is put in order. */
  flush(): void {
    if (this.#isPlanned || this.#replies.length === 0) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#running === undefined && this.#parts.isAsking()) this.#run();
    });
  }

  async end(replies: readonly string[]): Promise<void> {
    await this.#running;
    if (this.#parts.connection.isClosed()) return;
    const all = [...this.#replies.splice(0), ...replies];
    await giveBackInOrder(all, this.#parts).catch(() => undefined); // ended meanwhile: the next one takes it, or the server when its time is up
  }

  #run(): void {
    const work = async (): Promise<void> => {
      await this.#parts.cancelling();
      await giveBackInOrder(this.#replies.splice(0), this.#parts);
    };
    this.#running = work().then(
      () => {
        this.#running = undefined;
        if (this.#replies.length > 0) this.flush();
        else this.#parts.onDone();
      },
      () => {
        this.#running = undefined;
        this.#parts.onFailure();
      },
    );
  }
}
