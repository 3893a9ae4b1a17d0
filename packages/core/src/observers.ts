/** Turns what happens on the two lines into counters, events, diagnostics channels and log lines. A value is made only where somebody listens. */
import type { ConsumeObserver } from "./consume.ts";
import { channels } from "./diagnostics.ts";
import type { Emitter } from "./emitter.ts";
import type { BusEvents } from "./events.ts";
import type { Flight } from "./flight.ts";
import { type Logger, loggableError } from "./logger.ts";
import type { ConsumeCounters, Metrics } from "./metrics.ts";
import type { OutboxObserver } from "./outbox.ts";

export function consumeObserver(counters: ConsumeCounters, emitter: Emitter<BusEvents>, logger: Logger): ConsumeObserver {
  return {
    expired: (flight) => {
      counters.expired++;
      if (emitter.hasListeners("message-drop")) emitter.emit("message-drop", { ...about(flight), reason: "expired", error: undefined });
    },
    unmatched: () => {
      counters.unmatched++;
    },
    duplicate: (flight) => {
      counters.duplicates++;
      if (emitter.hasListeners("message-drop")) emitter.emit("message-drop", { ...about(flight), reason: "duplicate", error: undefined });
    },
    started: (flight) => {
      if (channels.process.hasSubscribers) channels.process.publish(about(flight));
    },
    handled: (flight) => {
      counters.handled++;
      if (channels.processed.hasSubscribers) channels.processed.publish(about(flight));
    },
    failed: (flight, error) => {
      counters.failed++;
      if (channels.processed.hasSubscribers) channels.processed.publish({ ...about(flight), error });
      if (emitter.hasListeners("handler-failure")) emitter.emit("handler-failure", { ...about(flight), error });
      logger.warn({ ...about(flight), error: loggableError(error) }, "A handler failed.");
    },
    retrying: (flight, delayMs, error) => {
      counters.retried++;
      if (channels.retry.hasSubscribers) channels.retry.publish({ ...about(flight), delayMs, error });
      if (emitter.hasListeners("retry")) emitter.emit("retry", { ...about(flight), delayMs, error });
    },
    deadLettered: (flight, reason, error) => {
      counters.deadLettered++;
      if (channels.deadLetter.hasSubscribers) channels.deadLetter.publish({ ...about(flight), reason, error });
      if (emitter.hasListeners("dead-letter")) emitter.emit("dead-letter", { ...about(flight), reason, error });
      logger.error({ ...about(flight), reason, error: loggableError(error) }, "A message became a dead letter.");
    },
    dropped: (flight, error) => {
      if (emitter.hasListeners("message-drop")) emitter.emit("message-drop", { ...about(flight), reason: "failed", error });
      logger.error({ ...about(flight), error: loggableError(error) }, "A message failed for good and was dropped, as the subscription asks.");
    },
  };
}

export function outboxObserver(metrics: Metrics): OutboxObserver {
  const { publish: counters, publishLatency } = metrics;
  return {
    accepted: (count, startMs, nowMs) => {
      counters.published += count;
      publishLatency.record(nowMs - startMs, count);
    },
    failed: () => {
      counters.publishFailed++;
    },
    repeated: (count) => {
      counters.publishRepeated += count;
    },
  };
}

/** What every event about a message says. */
export function about({ message, attempt, group }: Flight): {
  readonly id: string;
  readonly topic: string;
  readonly group: string | undefined;
  readonly attempt: number;
} {
  return { id: message.id, topic: message.topic, group, attempt };
}
