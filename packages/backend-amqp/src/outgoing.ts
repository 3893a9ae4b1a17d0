/** `Session.publish`: batches of messages to the topic exchange, a group's queue or dead letters, and what became of each of them. */
import { HalyardError, type PublishRequest, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import type { Batch, Failure } from "./confirms.ts";
import type { Declare } from "./declare.ts";
import { abortedError } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import type { Line, Outcome, Publisher } from "./publisher.ts";
import { pingKey } from "./topology.ts";
import { toBuffer, toOptions, type WriteOptions } from "./wire.ts";

export interface OutgoingParts {
  readonly publisher: Publisher;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly write: WriteOptions;
  readonly lost: () => HalyardError | undefined;
  /** Why the broker takes no publishes now. */
  readonly blocked: () => string | undefined;
}

const nothing = Buffer.alloc(0);

type Opened = { readonly line: Line; readonly error?: undefined } | { readonly line?: undefined; readonly error: Error };

export class Outgoing {
  readonly #parts: OutgoingParts;
  /** Unanswered batches by the signal that gives them up: one listener a signal, however many share it. */
  readonly #waiting = new Map<AbortSignal, Set<{ readonly line: Line; readonly batch: Batch }>>();

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly WireMessage[], { target, signal }: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    const { line, error } = await this.#open(signal);
    if (line === undefined) return refusedAll(messages, error);
    if (target === undefined) return this.#toTopics(messages, line, signal);
    if ("deadLetters" in target) return this.#toDeadLetters(target.deadLetters, messages, line, signal);
    const { group } = target;
    return this.#toQueue(this.#parts.names.group(group), messages, line, signal, () => noGroup(group));
  }

  /** A message that is confirmed and stored nowhere. Rejects where a publish would. */
  async ping(signal: AbortSignal): Promise<void> {
    const { line, error } = await this.#open(signal);
    if (line === undefined) throw error;
    line.write(this.#parts.names.wait, pingKey, nothing, {});
    const failures = await this.#commit(line, undefined, signal);
    if (failures === undefined) return;
    throw (
      this.#parts.lost() ??
      (signal.aborted ? abortedError("The ping") : new HalyardError("TIMEOUT", "RabbitMQ did not confirm a message: look at its alarms and its log."))
    );
  }

  /** The channel to write to, or why there is none now. Rejects when the session has ended. */
  async #open(signal: AbortSignal): Promise<Opened> {
    const { publisher, lost, blocked } = this.#parts;
    const error = lost();
    if (error !== undefined) throw error;
    const reason = blocked();
    if (reason !== undefined) return { error: blockedError(reason) };
    if (signal.aborted) return { error: abortedError("The publish") };
    try {
      return { line: publisher.current ?? (await publisher.line()) };
    } catch (thrown) {
      const ended = lost();
      if (ended !== undefined) throw ended;
      return {
        error:
          thrown instanceof HalyardError
            ? thrown
            : new HalyardError("BACKEND_FAILED", `Publishing failed: ${String(thrown)}`, { cause: thrown, retryable: true }),
      };
    }
  }

  async #toDeadLetters(group: string, messages: readonly WireMessage[], line: Line, signal: AbortSignal): Promise<readonly PublishStatus[] | undefined> {
    const { declare, names } = this.#parts;
    try {
      await declare.dead(group);
    } catch (thrown) {
      const ended = this.#parts.lost();
      if (ended !== undefined) throw ended;
      return refusedAll(messages, thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    const declaration = declare.current(names.dead(group));
    let isGone = false;
    const statuses = await this.#toQueue(names.dead(group), messages, line, signal, () => {
      isGone = true;
      return new HalyardError("BACKEND_FAILED", `The dead letters of ${group} were deleted on the broker; their queue is made again.`, { retryable: true });
    });
    if (isGone) await declare.gone(names.dead(group), declaration);
    return statuses;
  }

  async #toTopics(messages: readonly WireMessage[], line: Line, signal: AbortSignal): Promise<readonly PublishStatus[] | undefined> {
    const { names, write } = this.#parts;
    let refused: Map<number, Error> | undefined;
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as WireMessage; // index < length
      try {
        line.write(names.exchange, message.topic, toBuffer(message.body), toOptions(message, write, undefined));
      } catch (thrown) {
        refused ??= new Map();
        refused.set(index, unwritable(thrown));
      }
    }
    return this.#statuses(
      messages,
      refused,
      await this.#commit(line, undefined, signal),
      () => new HalyardError("PUBLISH_REFUSED", "RabbitMQ returned the message."),
    );
  }

  async #toQueue(
    queue: string,
    messages: readonly WireMessage[],
    line: Line,
    signal: AbortSignal,
    onReturn: () => HalyardError,
  ): Promise<readonly PublishStatus[] | undefined> {
    const { write } = this.#parts;
    const ids: string[] = [];
    let refused: Map<number, Error> | undefined;
    for (const [index, message] of messages.entries()) {
      try {
        const options = toOptions(message, write, { topic: message.topic });
        options.mandatory = true;
        line.write("", queue, toBuffer(message.body), options);
        ids.push(message.id);
      } catch (thrown) {
        refused ??= new Map();
        refused.set(index, unwritable(thrown));
      }
    }
    return this.#statuses(messages, refused, await this.#commit(line, ids, signal), onReturn);
  }

  async #commit(line: Line, ids: readonly string[] | undefined, signal: AbortSignal): Promise<Outcome> {
    const { batch, done } = line.commit(ids);
    if (batch.isOver) return done;
    const waiting = { line, batch };
    this.#watch(signal).add(waiting);
    const outcome = await done;
    const sharing = this.#waiting.get(signal);
    sharing?.delete(waiting);
    if (sharing?.size === 0) {
      this.#waiting.delete(signal);
      signal.removeEventListener("abort", this.#onAbort);
    }
    return outcome;
  }

  #watch(signal: AbortSignal): Set<{ readonly line: Line; readonly batch: Batch }> {
    let sharing = this.#waiting.get(signal);
    if (sharing === undefined) {
      sharing = new Set();
      this.#waiting.set(signal, sharing);
      signal.addEventListener("abort", this.#onAbort);
    }
    return sharing;
  }

  readonly #onAbort = ({ target }: Event): void => {
    // Only signals are listened to.
    for (const { line, batch } of [...(this.#waiting.get(target as AbortSignal) ?? [])]) line.giveUp(batch);
  };

  #statuses(
    messages: readonly WireMessage[],
    refused: ReadonlyMap<number, Error> | undefined,
    outcome: Outcome,
    onReturn: () => HalyardError,
  ): readonly PublishStatus[] | undefined {
    if (outcome === undefined && refused === undefined) return undefined;
    const ended = this.#parts.lost();
    if (ended !== undefined) throw ended;
    let position = 0;
    return messages.map((_, index) => {
      const error = refused?.get(index);
      return error === undefined ? this.#status(outcome?.get(position++), onReturn) : { status: "refused", error };
    });
  }

  #status(failure: Failure | undefined, onReturn: () => HalyardError): PublishStatus {
    if (failure === undefined) return { status: "accepted" };
    if (failure === "returned") return { status: "refused", error: onReturn() };
    if (failure === "nacked")
      return {
        status: "refused",
        error: new HalyardError("BACKPRESSURE", "RabbitMQ refused the message: a queue is full (x-overflow: reject-publish) or cannot store now."),
      };
    return { status: "unknown", error: new HalyardError("PUBLISH_UNKNOWN", "RabbitMQ did not confirm the message in time: it may be stored.") };
  }
}

const refusedAll = (messages: readonly WireMessage[], error: Error): readonly PublishStatus[] => messages.map(() => ({ status: "refused", error }));

const blockedError = (reason: string): HalyardError =>
  new HalyardError("BACKPRESSURE", `RabbitMQ takes no messages for now (${reason}): it resumes by itself when the alarm is over.`);

export function noGroup(group: string): HalyardError {
  return new HalyardError("NO_SUCH_GROUP", `There is no group ${group}: define it or subscribe to it first.`, { details: { group } });
}

/** Core bounds headers and properties; what amqplib still cannot encode never will be. */
function unwritable(thrown: unknown): HalyardError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new HalyardError("PUBLISH_REFUSED", `The message cannot be written as AMQP: ${text}.`, { cause: thrown });
}
