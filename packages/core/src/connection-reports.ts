/** What the keeper and the backend tell about the connection, on its way to listeners and into the log. */
import type { Emitter } from "./emitter.ts";
import type { BusEvents } from "./events.ts";
import { type Logger, loggableError } from "./logger.ts";
import type { BackendEvent } from "./spi/backend.ts";
import type { RunningSubscription } from "./subscription.ts";

export interface ConnectionReportsParts {
  readonly backend: string;
  readonly namespace: string;
  readonly emitter: Emitter<BusEvents>;
  readonly logger: Logger;
  readonly subscriptions: Iterable<RunningSubscription>;
}

export class ConnectionReports {
  readonly #parts: ConnectionReportsParts;

  constructor(parts: ConnectionReportsParts) {
    this.#parts = parts;
  }

  connected(isFirst: boolean): void {
    const { backend, namespace, emitter, logger } = this.#parts;
    emitter.emit("connection-open", { isFirst });
    logger.info({ backend, namespace }, isFirst ? "Connected." : "Connected again.");
  }

  lost(error: Error): void {
    const { backend, emitter, logger } = this.#parts;
    emitter.emit("connection-loss", { error });
    logger.warn({ backend, error: loggableError(error) }, "The connection was lost; connecting again.");
  }

  connectFailed(error: Error, attempt: number): void {
    const { backend, emitter, logger } = this.#parts;
    emitter.emit("connection-failure", { error, attempt });
    logger.warn({ backend, attempt, error: loggableError(error) }, "Connecting failed; it is tried again.");
  }

  warn(text: string, error: Error | undefined): void {
    const { emitter, logger } = this.#parts;
    emitter.emit("warning", { text, error });
    logger.warn(error === undefined ? {} : { error: loggableError(error) }, text);
  }

  fromBackend(event: BackendEvent): void {
    const { emitter } = this.#parts;
    if (event.type === "warning") this.warn(event.text, undefined);
    else if (event.type === "recreated") emitter.emit("recreation", { what: event.what, lost: event.lost });
    else if (event.type === "gap") this.#gap(event);
    else emitter.emit(event.type === "blocked" ? "publish-block" : "publish-unblock", { reason: event.reason });
  }

  /** The backend names the subscription by its own side of it. */
  #gap(event: Extract<BackendEvent, { type: "gap" }>): void {
    for (const subscription of this.#parts.subscriptions) {
      if (subscription.source !== event.subscription) continue;
      subscription.counters.missed += event.count ?? 0;
      this.#parts.emitter.emit("gap", { patterns: subscription.patterns, count: event.count });
    }
  }
}
