/**
 * The publish line: one message from the call to the broker's acceptance. `publish` is the path; each step is one call. What comes after
 * `outbox.add` (batching, sending, repeating, deadlines) is told in `outbox.ts`.
 */
import { channels } from "./diagnostics.ts";
import { type PackContext, type PublishOptions, pack, publishOptionNames, withOwnHeaders } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import { assertKnownOptions } from "./known-options.ts";
import { ownHeaders } from "./message.ts";
import type { PublishStep } from "./middleware.ts";
import type { Outbox } from "./outbox.ts";
import type { OutgoingOptions, PublishReceipt, Target } from "./outgoing.ts";
import type { Capabilities } from "./spi/capabilities.ts";
import type { WireMessage } from "./spi/message.ts";
import type { TopicSchemas } from "./topics/topic-schemas.ts";
import { validateToPublish } from "./topics/topic-schemas.ts";

export interface PublishLine {
  readonly schemas: TopicSchemas | undefined;
  /** Of the current or the last session. */
  readonly packing: () => PackContext;
  readonly capabilities: () => Capabilities | undefined;
  /** @throws INVALID_TOPIC */
  readonly assertTopic: (topic: string) => void;
  readonly timeoutMs: number;
  readonly outbox: Outbox;
  readonly nowMs: () => number;
  readonly isClosed: () => boolean;
  /** Ends in `publishTo`; `undefined` where no middleware publishes. */
  readonly middleware: PublishStep | undefined;
  /** Topics of which a publish waits for its schema, with the end of the last one. */
  readonly turns: Map<string, Promise<unknown>>;
  /** What a publish without options asks of the outbox: one object for all. */
  readonly plain: OutgoingOptions;
}

/**
 * Through the middleware, if there is any, to the outbox: to the message's topic, or (with `target`) into one group's inbox. Never throws: what is
 * wrong with the call rejects.
 */
export function publish(
  line: PublishLine,
  target: Target | undefined,
  topic: string,
  payload: unknown,
  options: PublishOptions | undefined,
): Promise<PublishReceipt> {
  return line.middleware === undefined ? publishTo(line, target, topic, payload, options) : line.middleware({ topic, payload, options: options ?? {} }, target);
}

/** The rest of the line, after the middleware. */
export function publishTo(
  line: PublishLine,
  target: Target | undefined,
  topic: string,
  payload: unknown,
  options: PublishOptions | undefined,
): Promise<PublishReceipt> {
  try {
    assertOpen(line);
    line.assertTopic(topic);
    const checked = validateToPublish(line.schemas, topic, payload);
    if (checked instanceof Promise || (line.turns.size > 0 && line.turns.has(topic)))
      return inTurn(line.turns, topic, checked, (later) => send(line, target, topic, later, options));
    return send(line, target, topic, checked, options);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A schema that answers later must not let what was published after it go first. */
async function inTurn(
  turns: Map<string, Promise<unknown>>,
  topic: string,
  checked: unknown,
  run: (payload: unknown) => Promise<PublishReceipt>,
): Promise<PublishReceipt> {
  const turn = Promise.allSettled([checked, turns.get(topic)]);
  turns.set(topic, turn);
  await turn;
  if (turns.get(topic) === turn) turns.delete(topic);
  return run(await checked);
}

function send(line: PublishLine, target: Target | undefined, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt> {
  if (options !== undefined) {
    assertKnownOptions("publish", options, publishOptionNames);
    assertCan(line.capabilities(), options);
  }
  const packed = pack(topic, payload, options, line.packing(), line.nowMs());
  const message = target !== undefined && "group" in target ? addressed(packed, target.group) : packed;
  const receipt = line.outbox.add(message, outgoingOptions(line, target, options));
  return channels.publish.hasSubscribers || channels.published.hasSubscribers ? announced(message, receipt) : receipt;
}

/** A message for one group is meant for it whatever its topic: members do not ask whether their patterns match. */
function addressed(message: WireMessage, group: string): WireMessage {
  return { ...message, headers: withOwnHeaders(message.headers, { [ownHeaders.to]: group }) };
}

function outgoingOptions(line: PublishLine, target: Target | undefined, options: PublishOptions | undefined): OutgoingOptions {
  if (options === undefined && target === undefined) return line.plain;
  return {
    target,
    isFresh: options?.id === undefined,
    wantsPosition: options?.position ?? false,
    timeoutMs: timeoutOf(line, options),
    signal: options?.signal,
  };
}

function timeoutOf(line: PublishLine, options: PublishOptions | undefined): number {
  const timeoutMs = options?.timeoutMs ?? line.timeoutMs;
  if (timeoutMs > 0) return timeoutMs;
  throw new HalyardError("INVALID_OPTIONS", "timeoutMs must be a number of milliseconds above 0.");
}

function assertOpen(line: PublishLine): void {
  if (line.isClosed()) throw new HalyardError("CLOSED", "The bus is closed: nothing can be published any more.");
}

function assertCan(capabilities: Capabilities | undefined, { delayMs }: PublishOptions): void {
  if (delayMs === undefined || capabilities === undefined || !(delayMs > capabilities.delayMsMax)) return;
  const limit = capabilities.delayMsMax === 0 ? "cannot delay messages" : `delays messages by ${capabilities.delayMsMax} ms at most`;
  throw new HalyardError("UNSUPPORTED", `This backend ${limit}; delayMs is ${delayMs}.`);
}

function announced(message: WireMessage, receipt: Promise<PublishReceipt>): Promise<PublishReceipt> {
  channels.publish.publish({ message });
  receipt.then(
    (accepted) => channels.published.publish({ message, receipt: accepted }),
    (error: unknown) => channels.published.publish({ message, error }),
  );
  return receipt;
}
