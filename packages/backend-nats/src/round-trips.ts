/**
 * What waits for the server to have read all that was sent. The client (3.4.0, without reconnection) forgets who waits for a pong when its connection
 * ends: neither `flush` nor `drain` settle then. A settlement that is never answered holds its key's messages back for ever, so here each of them rejects.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { lost } from "./errors.ts";

export class RoundTrips {
  readonly #connection: NatsConnection;
  readonly #over: AbortSignal;
  readonly #waiting = new Set<(error: unknown) => void>();

  /** `over`: aborts when the session ends. */
  constructor(connection: NatsConnection, over: AbortSignal) {
    this.#connection = connection;
    this.#over = over;
    over.addEventListener("abort", () => {
      for (const reject of this.#waiting) reject(lost(over.reason));
      this.#waiting.clear();
    });
  }

  /** Resolves when the server has read what was sent before. Rejects with `CONNECTION_LOST` when the session ends first. */
  flush(): Promise<void> {
    return this.unlessOver(() => this.#connection.flush());
  }

  /** The same for other work that ends with an answer of the server. */
  unlessOver(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#over.aborted) {
        reject(lost(this.#over.reason));
        return;
      }
      this.#waiting.add(reject);
      work().then(
        () => {
          this.#waiting.delete(reject);
          resolve();
        },
        (thrown: unknown) => {
          this.#waiting.delete(reject);
          reject(thrown);
        },
      );
    });
  }
}
