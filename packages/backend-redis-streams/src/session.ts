/**
 * One life of the connections to Redis: one for commands, and from the first subscription on one for blocking reads and one for pub-sub. Where one of
 * them breaks, the session is over.
 */
import {
  type Admin,
  type BackendSubscription,
  type Capabilities,
  type DeadLetters,
  type GroupRequest,
  HalyardError,
  type History,
  type Host,
  type PublishRequest,
  type PublishStatus,
  type Session,
  type SubscribeRequest,
  type WireMessage,
} from "@halyard/core/spi";
import type { Redis } from "ioredis";
import { adminOf } from "./admin.ts";
import { BlockedReads } from "./blocked-reads.ts";
import { Caretaker } from "./caretaker.ts";
import { Commands } from "./commands.ts";
import type { Opened } from "./connect.ts";
import type { Control } from "./control.ts";
import { deadLettersOf } from "./dead-letters.ts";
import { defineGroup } from "./defining.ts";
import { fromConnecting, fromRedis } from "./errors.ts";
import type { GroupQueue } from "./group-queue.ts";
import { GroupReader } from "./group-reader.ts";
import { GroupSubscription } from "./group-subscription.ts";
import { historyOf } from "./history.ts";
import { leaveGroups } from "./leaving.ts";
import { LiveHub } from "./live.ts";
import type { Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import type { Scripts } from "./scripts/index.ts";
import type { ServerFacts } from "./server-facts.ts";

/** How long `close` tries to give back what is unsettled. */
const closeMsMax = 5_000;

export interface SessionParts {
  readonly opened: Opened;
  readonly root: string;
  readonly host: Host;
  readonly settings: Settings;
  readonly scripts: Scripts;
  readonly facts: ServerFacts;
  readonly capabilities: Capabilities;
  /** Called once where the session broke: what it held under this name is to be given back by the next one. */
  readonly onBroken: (consumer: string, groups: readonly string[]) => void;
}

interface Receiving {
  readonly reader: GroupReader;
  readonly live: LiveHub;
  readonly caretaker: Caretaker;
}

export class RedisSession implements Session {
  readonly capabilities: Capabilities;
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history: History | undefined;
  readonly #commands: Commands;
  readonly #parts: SessionParts;
  readonly #control: Control;
  readonly #publisher: Publisher;
  readonly #consumer: string;
  readonly #ended = new AbortController();
  readonly #clients: Redis[] = [];
  #receiving: Promise<Receiving> | undefined;
  #received: Receiving | undefined;
  #lost: HalyardError | undefined;
  #isClosing = false;
  #cancelPing: () => void = () => undefined;
  #closing: Promise<void> | undefined;
  #resolveClosed: (error: Error | undefined) => void = () => undefined;

  constructor(parts: SessionParts) {
    const { opened, root, host, settings, scripts, capabilities } = parts;
    this.#parts = parts;
    this.capabilities = capabilities;
    this.#consumer = `${host.clientName}.${randomWord(host)}`;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#commands = new Commands(opened.client, root, (error) => this.#end(error));
    this.#adopt(opened.client);
    this.#publisher = new Publisher({ commands: this.#commands, scripts, settings, host });
    this.#control = {
      commands: this.#commands,
      scripts,
      settings,
      host,
      ended: this.#ended.signal,
      assertAlive: (signal: AbortSignal) => this.#assertAlive(signal),
    };
    this.deadLetters = deadLettersOf(this.#control);
    this.admin = adminOf(this.#control, () => this.#received?.reader);
    this.history = settings.history === undefined ? undefined : historyOf(this.#control);
  }

  async publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    if (this.#lost !== undefined) throw this.#lost;
    return this.#publisher.publish(messages, request);
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    this.#assertAlive(signal);
    try {
      this.#receiving ??= this.#open().catch((error: unknown) => {
        // Half a session is none: core opens another one.
        const translated = fromConnecting(error, this.#parts.settings.connection.where);
        this.#end(new HalyardError("CONNECTION_LOST", "The connections for receiving could not be opened.", { cause: translated }));
        throw translated;
      });
      const receiving = await this.#receiving;
      this.#assertAlive(signal);
      const { patterns, inFlightMax, group } = request;
      const made = await (group === undefined ? receiving.live.subscribe(patterns, inFlightMax) : this.#join(receiving, request, group, signal));
      if (this.#lost !== undefined) throw this.#lost;
      if (signal.aborted) await made.close(); // nobody would ever receive from it
      this.#assertAlive(signal);
      return made;
    } catch (error) {
      const translated = fromRedis(error);
      if (this.#lost !== undefined && translated.code !== "NOT_AUTHORIZED") throw this.#lost;
      throw translated;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What was pending under the names of earlier sessions of this process goes back to its groups at once, without waiting for a lease. */
  async takeOver(consumer: string, groups: readonly string[]): Promise<void> {
    const { scripts, settings, host } = this.#parts;
    await leaveGroups({ commands: this.#commands, scripts, settings, report: host.report }, consumer, "forced", groups);
  }

  async #open(): Promise<Receiving> {
    const { opened, root, host, settings, scripts } = this.#parts;
    const commands = this.#commands;
    const [reading, listening] = await Promise.all([opened.another("reads"), opened.another("listens")]);
    this.#adopt(reading);
    this.#adopt(listening);
    if (this.#lost !== undefined) throw this.#lost;
    const clientId = Number(await reading.client("ID"));
    // From now on it only reads, and a read that waits is no command that hangs: the reader has a deadline of its own.
    reading.options.commandTimeout = undefined;
    const onEnd = (error: HalyardError): void => this.#end(error);
    const reads = new BlockedReads({ client: reading, clientId, consumer: this.#consumer, commands, settings, host, onEnd });
    const reader: GroupReader = new GroupReader({
      reads,
      consumer: this.#consumer,
      commands,
      scripts,
      settings,
      clock: host.clock,
      report: host.report,
      onEnd,
      onDelay: (delayMs) => caretaker.expect(delayMs),
      onMembers: () => void caretaker.beat().catch(() => undefined), // fails with the session only
      revive: (queue) => this.#revive(queue),
    });
    const caretaker = new Caretaker({ host, commands, scripts, settings, reader, consumer: this.#consumer });
    const live = new LiveHub(listening, host, root + settings.names.live);
    const bell = `${root}bell`;
    listening.on("messageBuffer", (channel: Buffer, name: Buffer) => {
      if (String(channel) !== bell) return;
      reader.ring(String(name));
      const queue = reader.queues.get(String(name));
      if (queue?.isExclusive === true && !queue.isOwner) reader.lookAtLock(queue).catch(() => undefined); // as above
    });
    await listening.subscribe(bell);
    if (this.#lost !== undefined) throw this.#lost;
    this.#listenForSilence(listening);
    this.#received = { reader, live, caretaker };
    reader.start();
    caretaker.start();
    return this.#received;
  }

  async #join({ reader, caretaker }: Receiving, request: SubscribeRequest, group: GroupRequest, signal: AbortSignal): Promise<BackendSubscription> {
    const { settings, root, host } = this.#parts;
    const { patterns, inFlightMax } = request;
    if (group.from !== "new" && settings.history === undefined)
      throw new HalyardError("UNSUPPORTED", "Groups start with new messages here: switch on history to let them start earlier.");
    const { name, from, idleExpiryMs } = group;
    const { epoch, isMadeAgain } = await defineGroup(this.#control, { name, add: patterns, from, idleExpiryMs }, signal);
    const stream = root + settings.names.group + group.name;
    if (isMadeAgain) host.report({ type: "recreated", what: `stream ${stream}`, lost: "unknown" });
    const member = reader.add(group.name, stream, epoch, group.exclusive, (queue) => new GroupSubscription(queue, inFlightMax, reader));
    for (const pattern of patterns) member.queue.patterns.set(pattern.text, pattern);
    if (group.exclusive) await reader.lookAtLock(member.queue);
    await caretaker.beat();
    return member;
  }

  /** The group's stream or consumer group is gone. Removed on purpose, or lost: then it is made again, and core is told. */
  async #revive(queue: GroupQueue): Promise<string> {
    const definition = { name: queue.name, add: [...queue.patterns.values()], epoch: queue.epoch };
    const { epoch, isMadeAgain } = await defineGroup(this.#control, definition, this.#ended.signal);
    const isAnother = epoch.split(":")[0] !== queue.epoch.split(":")[0];
    if (epoch !== "removed" && (isMadeAgain || isAnother)) this.#parts.host.report({ type: "recreated", what: `stream ${queue.stream}`, lost: "unknown" });
    return epoch;
  }

  /** Nothing is asked on the connection that listens, so its death could go unnoticed. */
  #listenForSilence(client: Redis): void {
    const { host, settings } = this.#parts;
    this.#cancelPing = host.clock.after(settings.blockMs, () => {
      client.ping().then(
        () => this.#lost ?? this.#listenForSilence(client),
        (error: unknown) => this.#end(fromRedis(error)),
      );
    });
  }

  #adopt(client: Redis): void {
    if (this.#lost !== undefined) {
      client.disconnect();
      return;
    }
    this.#clients.push(client);
    let reason = "it was closed";
    client.on("error", (error: Error) => {
      reason = error.message;
    });
    client.once("end", () => this.#end(new HalyardError("CONNECTION_LOST", `The connection to Redis broke: ${reason}.`)));
  }

  #assertAlive(signal: AbortSignal): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (signal.aborted) throw new HalyardError("ABORTED", "The caller's signal aborted.", { cause: signal.reason });
  }

  #end(error: HalyardError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error.code === "CONNECTION_LOST" ? error : new HalyardError("CONNECTION_LOST", error.message, { cause: error });
    const groups = [...(this.#received?.reader.queues.keys() ?? [])];
    if (!this.#isClosing && groups.length > 0) this.#parts.onBroken(this.#consumer, groups);
    this.#cancelPing();
    this.#received?.caretaker.end();
    this.#received?.reader.end(this.#lost);
    this.#received?.live.end(this.#lost);
    this.#ended.abort(this.#lost);
    for (const client of this.#clients) client.disconnect();
    this.#resolveClosed(this.#isClosing ? undefined : error);
  }

  async #close(): Promise<void> {
    if (this.#lost !== undefined) return;
    this.#isClosing = true;
    const { clock } = this.#parts.host;
    this.#received?.caretaker.end();
    const cancel = clock.after(closeMsMax, () => this.#end(closedError()));
    // What cannot be given back now, since the connection is gone, lapses with its lease.
    await this.#received?.reader.surrender().catch(() => undefined);
    cancel();
    this.#end(closedError());
  }
}

const closedError = (): HalyardError => new HalyardError("CONNECTION_LOST", "The session was closed.");

const randomWord = ({ random }: Host): string => Math.floor(random() * 36 ** 8).toString(36);
