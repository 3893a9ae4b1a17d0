/**
 * One life of one connection: what it found on the server, what it publishes, who is subscribed, and how it ends. Everything that lives on it hangs here, so
 * that the end of the connection reaches all of it.
 */
import { setMaxListeners } from "node:events";
import {
  type Admin,
  type BackendSubscription,
  type Capabilities,
  type DeadLetters,
  HalyardError,
  type History,
  type Host,
  isHalyardError,
  type PublishRequest,
  type PublishStatus,
  type Session,
  type SubscribeRequest,
  type WireMessage,
} from "@halyard/core/spi";
import type { NatsConnection, Status, Subscription } from "@nats-io/transport-node";
import { PermissionViolationError } from "@nats-io/transport-node";
import { adminOf } from "./admin.ts";
import { closeError } from "./connection.ts";
import { deadLettersOf } from "./dead-letters.ts";
import { delayLateness } from "./delays.ts";
import { asError, fromRequest, lost } from "./errors.ts";
import { GroupStore } from "./group-store.ts";
import { GroupSubscription } from "./group-subscription.ts";
import { historyOf } from "./history.ts";
import { abortable, JetStreamApi } from "./jetstream-api.ts";
import type { LockParts } from "./lease-lock.ts";
import { LiveSubscription } from "./live-subscription.ts";
import { Mover } from "./mover.ts";
import { letterSubject, memberSubject, pingSubject, readySubject, recordSubject, type Topology, topicSubject } from "./names.ts";
import type { Settings } from "./options.ts";
import { type Frame, Publisher } from "./publisher.ts";
import type { Stranded } from "./receipts.ts";
import { ServerClock } from "./server-clock.ts";
import { ensureStreams, type StreamsFound } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";
import { encodeHeaders, publishId, withinBytes } from "./wire.ts";

/** Room for headers in the server's `max_payload`: 32 KiB of the user's, core's diagnosis of a dead letter, and Halyard's own fields. */
const headerBytesReserved = 48_000;
/** What a retry adds to the headers of a message. */
const retryBytes = 1_024;
const watchMs = 500;
const repairPauseMs = 500;
/** How long a server that is going away is still given to confirm what was sent. */
const goodbyeMs = 1_000;

export interface SessionParts {
  readonly connection: NatsConnection;
  readonly host: Host;
  readonly settings: Settings;
  readonly topology: Topology;
  readonly stranded: Stranded;
}

/** Opens a session on a connection. Rejects where the server has no JetStream, or streams that break a promise. */
export async function openSession(parts: SessionParts): Promise<Session> {
  const { connection, settings, topology } = parts;
  const api = await JetStreamApi.open(connection, { timeoutMs: settings.requestTimeoutMs, domain: settings.domain });
  const streams = await ensureStreams(api, topology, settings);
  const session = new NatsSession(parts, api, streams);
  await session.start();
  return session;
}

class NatsSession implements Session {
  readonly capabilities: Capabilities;
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history: History | undefined;
  readonly #parts: SessionParts;
  readonly #api: JetStreamApi;
  readonly #common: LockParts;
  readonly #publisher: Publisher;
  readonly #groups: GroupStore;
  readonly #mover: Mover;
  readonly #serverClock: ServerClock;
  /** Where the stream keeps only what is of use. */
  readonly #sweeper: Sweeper | undefined;
  readonly #over = new AbortController();
  readonly #members = new Set<GroupSubscription>();
  readonly #live = new Set<LiveSubscription>();
  /** Definitions of groups as last read; what is told to have changed is read again. */
  readonly #known = new Map<string, Promise<boolean>>();
  readonly #apiPrefix: string;
  #warnings: readonly string[];
  #listening: Subscription[] = [];
  #repairing: Promise<void> | undefined;
  #cancelWatch: (() => void) | undefined;
  #resolveClosed: (error: Error | undefined) => void = () => undefined;
  #ended: HalyardError | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: SessionParts, api: JetStreamApi, streams: StreamsFound) {
    const { connection, host, settings, topology } = parts;
    const { inboxPrefix } = settings;
    const { clock, random } = host;
    this.#parts = parts;
    setMaxListeners(0, this.#over.signal); // each walk and read of a session listens to it
    this.#api = api;
    this.#warnings = streams.warnings;
    this.#apiPrefix = settings.domain === undefined ? "$JS.API" : `$JS.${settings.domain}.API`;
    this.#serverClock = new ServerClock(clock);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const hasManyFilters = isAtLeast(connection.info?.version, 2, 10);
    this.capabilities = capabilitiesOf(connection, settings, streams);
    this.#publisher = new Publisher({
      connection,
      clock,
      confirmTimeoutMs: settings.confirmTimeoutMs,
      inboxPrefix,
      onMissingStream: () => void this.#repair(),
    });
    this.#groups = new GroupStore({ api, publisher: this.#publisher, topology, settings, random, hasManyFilters, repair: () => this.#repair() });
    const lookAtClock = (): Promise<void> => this.#ping();
    const common = {
      connection,
      clock,
      api,
      publisher: this.#publisher,
      topology,
      inboxPrefix,
      apiPrefix: this.#apiPrefix,
      serverClock: this.#serverClock,
      lookAtClock,
      over: this.#over.signal,
    };
    this.#common = common;
    this.#mover = new Mover({
      ...common,
      random,
      incarnationOf: async (group) => {
        const stored = await this.#groups.load(group);
        return stored === undefined ? "unknown" : stored.record.isRemoved === true ? undefined : stored.record.incarnation;
      },
      announce: (delayClass) => connection.publish(`${topology.inboxPrefix}hint`, String(delayClass)),
      warn: (text, error) => host.report({ type: "warning", text: `${text} ${error.message}` }),
    });
    this.#sweeper =
      settings.stream.retention === "limits" ? undefined : new Sweeper({ api, clock, random, topology, warn: (thrown) => this.#onSweepFailure(thrown) });
    this.deadLetters = this.#guarded(deadLettersOf({ ...common, over: this.#over.signal, hasGroup: (group) => this.#hasGroup(group) }));
    this.admin = this.#guarded(
      adminOf({
        ...common,
        groups: this.#groups,
        keepsTopics: settings.stream.retention === "limits",
        ping: () => this.#pingWithRoom(),
        warnings: async () => this.#warnings,
        changed: (group) => this.#reload(group),
      }),
    );
    this.history = settings.stream.retention === "limits" ? this.#guarded(historyOf({ ...common, hasManyFilters })) : undefined;
  }

  async start(): Promise<void> {
    const { connection, host, topology, stranded } = this.#parts;
    void this.#followStatus();
    void connection.closed().then((error) => this.#end(closeError(error ?? undefined, this.#parts.settings.where)));
    await stranded.giveBack(connection, host.clock, this.#apiPrefix);
    this.#listening = [
      // A definition that is published may still be refused: it is a hint to read again, no more.
      connection.subscribe(recordSubject(topology, "*"), { callback: (_, { subject }) => this.#onHint(subject.slice(recordSubject(topology, "").length)) }),
      connection.subscribe(`${topology.inboxPrefix}hint`, { callback: (_, message) => this.#mover.join(Number(message.string())) }),
    ];
    await connection.flush();
    this.#watch();
  }

  async publish(messages: readonly WireMessage[], { target, positions }: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    this.#assertAlive();
    if (target !== undefined && "group" in target && !(await this.#hasGroup(target.group))) {
      const error = new HalyardError("NO_SUCH_GROUP", `There is no group ${target.group}: define it or subscribe to it first.`);
      return messages.map(() => ({ status: "refused", error }));
    }
    const { topology } = this.#parts;
    const payloadBytesMax = this.#payloadBytesMax();
    const frames = new Array<Frame>(messages.length);
    let isTooLarge = false;
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as WireMessage; // index < length
      const { body } = message;
      let subject: string;
      let headers: Uint8Array;
      if (target === undefined) {
        subject = topicSubject(topology, message.topic);
        headers = encodeHeaders(message, publishId(message));
      } else if ("group" in target) {
        subject = readySubject(topology, target.group);
        headers = encodeHeaders(message, "", { topic: message.topic });
      } else {
        subject = letterSubject(topology, target.deadLetters);
        headers = withinBytes(message, payloadBytesMax, (one) => encodeHeaders(one, "", { topic: one.topic }));
      }
      if (headers.byteLength + body.byteLength + retryBytes > payloadBytesMax) isTooLarge = true;
      frames[index] = { subject, headers, body };
    }
    if (isTooLarge) return this.#publishFitting(frames, payloadBytesMax, positions === true);
    const statuses = await this.#publisher.send(frames, positions);
    if (target === undefined) this.#noteStored(statuses);
    return statuses;
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    this.#assertAlive();
    const { group } = request;
    if (group === undefined) return this.#subscribeLive(request, signal);
    const { connection, host, settings, topology } = this.#parts;
    const { clock } = host;
    const what = `Subscribing to group ${group.name}`;
    const { record, ackWaitMs, remade } = await abortable(signal, what, this.#groups.define(group.name, { add: request.patterns, drop: [] }, group.from));
    for (const one of remade) host.report({ type: "recreated", what: one, lost: "unknown" });
    await abortable(signal, what, this.#mover.start());
    this.#assertAlive();
    this.#known.delete(group.name);
    const presence = group.exclusive
      ? undefined
      : connection.subscribe(memberSubject(settings, topology, "beside", group.name), { callback: (_, message) => void message.respond() });
    const member = new GroupSubscription(record, {
      connection,
      clock,
      publisher: this.#publisher,
      topology,
      inboxPrefix: settings.inboxPrefix,
      apiPrefix: this.#apiPrefix,
      group: group.name,
      inFlightMax: request.inFlightMax,
      ackWaitMs,
      requestTimeoutMs: settings.requestTimeoutMs,
      exclusive: group.exclusive ? this.#common : undefined,
      payloadBytesMax: () => this.#payloadBytesMax(),
      reload: () => this.#reload(group.name),
      repair: (subscription, reason) => this.#repairGroup(subscription, reason),
      ensureClass: (delayClass) => this.#mover.ensure(delayClass),
      onClose: (subscription) => {
        this.#members.delete(subscription);
        if (!connection.isClosed()) presence?.unsubscribe();
      },
    });
    this.#members.add(member);
    try {
      await abortable(signal, what, member.start());
    } catch (thrown) {
      await member.close();
      throw thrown;
    }
    return member;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { connection, settings } = this.#parts;
    const over = lost();
    await Promise.all([...this.#members, ...this.#live].map((subscription) => subscription.close(over).catch(() => undefined)));
    await this.#mover.close();
    if (this.#ended === undefined && !connection.isClosed()) await connection.flush().catch(() => undefined); // ended meanwhile
    this.#end(undefined);
    for (const subscription of this.#listening) if (!connection.isClosed()) subscription.unsubscribe();
    if (settings.connection === undefined) await connection.close();
  }

  // ── Publishing and subscribing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The server closes the connection of who sends too much, so nothing of it leaves. */
  async #publishFitting(frames: readonly Frame[], payloadBytesMax: number, positions: boolean): Promise<readonly PublishStatus[]> {
    const fitting = frames.filter(({ headers, body }) => headers.byteLength + body.byteLength + retryBytes <= payloadBytesMax);
    const statuses = await this.#publisher.send(fitting, positions);
    let sent = 0;
    return frames.map((frame): PublishStatus => {
      if (fitting[sent] === frame) return statuses?.[sent++] ?? { status: "accepted" };
      const bytes = frame.headers.byteLength + frame.body.byteLength;
      const text = `The message has ${bytes} bytes with its headers; the NATS server takes ${payloadBytesMax - retryBytes} (max_payload, less what a retry adds).`;
      return { status: "refused", error: new HalyardError("PAYLOAD_TOO_LARGE", text, { details: { bytes } }) };
    });
  }

  #noteStored(statuses: readonly PublishStatus[] | undefined): void {
    if (this.#sweeper === undefined) return;
    this.#sweeper.noteActivity();
    if (statuses?.some((status) => status.status === "refused" && isHalyardError(status.error, "BACKPRESSURE")) === true) this.#sweeper.hurry();
  }

  /** It is tried again; a connection that has ended is told by its end. */
  #onSweepFailure(thrown: unknown): void {
    if (this.#ended !== undefined || isHalyardError(thrown, "TIMEOUT") || isHalyardError(thrown, "CONNECTION_LOST")) return;
    this.#parts.host.report({ type: "warning", text: `What was handled could not be removed from the stream: ${asError(thrown).message}` });
  }

  async #subscribeLive({ patterns, inFlightMax }: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    const { connection, host, topology } = this.#parts;
    const live = new LiveSubscription({ connection, host, topology, patterns, inFlightMax, onClose: (subscription) => this.#live.delete(subscription) });
    this.#live.add(live);
    try {
      await abortable(signal, "Subscribing", connection.flush());
    } catch (thrown) {
      await live.close();
      throw this.#ended ?? fromRequest(thrown, "Subscribing");
    }
    if (live.failure !== undefined) throw live.failure;
    return live;
  }

  #payloadBytesMax(): number {
    return this.#parts.connection.info?.max_payload ?? 0;
  }

  /** Known groups are remembered until something about them is told. */
  #hasGroup(group: string): Promise<boolean> {
    let known = this.#known.get(group);
    if (known === undefined) {
      known = this.#groups.find(group).then((record) => {
        if (record === undefined) this.#known.delete(group);
        return record !== undefined;
      });
      known.catch(() => this.#known.delete(group));
      this.#known.set(group, known);
    }
    return known;
  }

  // ── Groups that change ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onHint(group: string): void {
    this.#known.delete(group);
    if (this.#membersOf(group).length > 0) this.#reload(group).catch(() => undefined); // the next hint, or a consumer that is gone, asks again
  }

  #membersOf(group: string): readonly GroupSubscription[] {
    return [...this.#members].filter((member) => member.group === group);
  }

  async #reload(group: string): Promise<void> {
    this.#known.delete(group);
    const members = this.#membersOf(group);
    if (members.length === 0) return;
    const stored = await this.#groups.load(group);
    if (stored !== undefined) for (const member of members) member.update(stored.record);
  }

  /** A member's consumer is gone. Where the group was not removed on purpose, streams and consumers are made again. */
  async #repairGroup(member: GroupSubscription, _reason: string): Promise<void> {
    const { host } = this.#parts;
    const { group } = member;
    try {
      await this.#repair();
      let stored = await this.#groups.load(group);
      if (stored === undefined) {
        await this.#groups.restore(group, member.record);
        stored = await this.#groups.load(group);
      }
      if (stored !== undefined) member.update(stored.record);
      if (member.isOver || stored === undefined) return;
      const { remade, record } = await this.#groups.ensureConsumers(group, stored.record);
      member.update(record);
      for (const what of remade) host.report({ type: "recreated", what, lost: "unknown" });
    } catch (thrown) {
      if (this.#ended !== undefined) return;
      if (isHalyardError(thrown) && !thrown.retryable && thrown.code !== "BACKEND_FAILED") member.fail(thrown);
      else await new Promise<void>((resolve) => void host.clock.after(repairPauseMs, resolve));
    }
  }

  /** Makes missing streams again. One at a time, whoever asks. */
  #repair(): Promise<void> {
    this.#repairing ??= this.#repairStreams().finally(() => {
      this.#repairing = undefined;
    });
    this.#repairing.catch(() => undefined); // who waits for it is told; others only started it
    return this.#repairing;
  }

  async #repairStreams(): Promise<void> {
    const { host, settings, topology } = this.#parts;
    this.#assertAlive();
    const { made, warnings } = await ensureStreams(this.#api, topology, settings);
    this.#warnings = warnings;
    for (const stream of made) host.report({ type: "recreated", what: `stream ${stream}`, lost: "unknown" });
  }

  // ── Time and health ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stores a small message and reads it back: JetStream stores, and it is so late there. */
  async #ping(): Promise<void> {
    const { host, topology } = this.#parts;
    this.#assertAlive();
    const subject = pingSubject(topology);
    const [status] =
      (await this.#publisher.send([{ subject, headers: Buffer.from("NATS/1.0\r\nNats-Rollup: sub\r\n\r\n"), body: new Uint8Array(0) }], true)) ?? [];
    const ownMs = host.clock.monotonicMs();
    if (status !== undefined && status.status !== "accepted") throw status.error;
    const stored = await this.#api.last(topology.inbox, subject);
    // Somebody else's ping may be newer than ours: then it was stored after our reading, and would make our clock run ahead.
    if (stored !== undefined && status?.position === `${topology.inbox}:${stored.sequence}`) this.#serverClock.note(stored.storedMs, ownMs);
    else if (stored !== undefined && this.#serverClock.isOld) this.#serverClock.note(stored.storedMs, host.clock.monotonicMs());
  }

  /** A stream that is full refuses messages although JetStream stores others. */
  async #pingWithRoom(): Promise<void> {
    const { topology } = this.#parts;
    const [info] = await Promise.all([this.#api.streamInfo(topology.stream), this.#ping()]);
    if (info === undefined) throw new HalyardError("CONNECT_FAILED", `The stream ${topology.stream} is gone; the next publish makes it again.`);
    const { config, state } = info;
    if ((config.max_bytes > 0 && state.bytes >= config.max_bytes) || (config.max_msgs > 0 && state.messages >= config.max_msgs))
      throw new HalyardError("BACKPRESSURE", `The stream ${topology.stream} is full: ${state.messages} messages, ${state.bytes} bytes.`);
  }

  #watch(): void {
    this.#cancelWatch = this.#parts.host.clock.after(watchMs, () => {
      const nowMs = this.#parts.host.clock.monotonicMs();
      for (const member of this.#members) member.watch(nowMs);
      this.#mover.watch(nowMs);
      this.#sweeper?.watch(nowMs);
      this.#watch();
    });
  }

  // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #followStatus(): Promise<void> {
    const { connection, settings } = this.#parts;
    const events = connection.status();
    void this.closed.then(() => (events as { stop?: () => void }).stop?.()); // an iterator of the client; without `stop` it ends with the connection
    for await (const event of events) {
      if (this.#ended !== undefined) return;
      if (event.type === "error") this.#onError(event);
      else if (event.type === "ldm") void this.#leave();
      else if (event.type === "disconnect" && settings.connection !== undefined) this.#end(closeError(undefined, settings.where));
    }
  }

  #onError({ error }: Extract<Status, { type: "error" }>): void {
    if (!(error instanceof PermissionViolationError)) return; // what ends the connection is told by its end
    if (error.operation === "publish") this.#publisher.onDenied(error);
    this.#parts.host.report({ type: "warning", text: `NATS denied ${error.operation} on ${error.subject}: grant it to this user.` });
  }

  /** The server is going to shut down: give back what is held, and let core go to another. */
  async #leave(): Promise<void> {
    const { host } = this.#parts;
    host.report({ type: "warning", text: "The NATS server is going to shut down (lame duck mode): this session moves to another." });
    await Promise.all([...this.#members].map((member) => member.close().catch(() => undefined)));
    const untilMs = host.clock.monotonicMs() + goodbyeMs;
    while (this.#publisher.open > 0 && host.clock.monotonicMs() < untilMs) await new Promise<void>((resolve) => void host.clock.after(10, resolve));
    this.#end(new HalyardError("CONNECTION_LOST", "The NATS server is shutting down (lame duck mode)."));
    await this.close();
  }

  #end(error: HalyardError | undefined): void {
    if (this.#ended !== undefined) return;
    const { host, stranded } = this.#parts;
    const ended = error ?? lost();
    this.#ended = ended;
    this.#cancelWatch?.();
    const nowMs = host.clock.monotonicMs();
    for (const member of this.#members) stranded.add(member.receipts(), nowMs);
    stranded.add(this.#mover.receipts(), nowMs);
    const end = error !== undefined && error.code === "CONNECTION_LOST" ? error : lost(error);
    this.#publisher.end(end);
    for (const subscription of [...this.#members, ...this.#live]) subscription.fail(end);
    void this.#mover.close();
    this.#over.abort(end);
    this.#resolveClosed(error);
  }

  #assertAlive(): void {
    if (this.#ended !== undefined) throw lost(this.#ended);
  }

  /** After the end every call rejects with `CONNECTION_LOST`, and what was running does so as well. */
  #guarded<Target extends object>(target: Target): Target {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          this.#assertAlive();
          try {
            return (await Reflect.apply(value, object, args)) as unknown;
          } catch (thrown) {
            if (this.#ended !== undefined && !isHalyardError(thrown, "CONNECTION_LOST")) throw lost(asError(thrown));
            throw thrown;
          }
        };
      },
    });
  }
}

function capabilitiesOf(connection: NatsConnection, settings: Settings, { topics }: StreamsFound): Capabilities {
  const keeps = settings.stream.retention === "limits";
  return {
    durable: topics.config.storage === "file",
    dedupMs: topics.config.duplicate_window / 1_000_000,
    orderedTopics: true,
    exclusive: true,
    priorityLevels: 1,
    delayMsMax: Number.MAX_SAFE_INTEGER,
    delayLateness,
    countsDeliveries: true,
    handlerMsMax: undefined,
    startsAt: { earliest: keeps, time: keeps },
    bodyBytesMax: Math.max(0, (connection.info?.max_payload ?? 0) - headerBytesReserved),
    carriesValues: false,
    persistentByMessage: false,
  };
}

/** Of a version such as `2.10.4` or `2.10.0-beta.1`. */
export function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [first = 0, second = 0] = (version ?? "").split(".").map(Number);
  return first > major || (first === major && second >= minor);
}
