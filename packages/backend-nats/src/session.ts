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
  sleep,
  type WireMessage,
} from "@halyard/core/spi";
import type { NatsConnection, Status, Subscription } from "@nats-io/transport-node";
import { PermissionViolationError } from "@nats-io/transport-node";
import { adminOf } from "./admin.ts";
import { capabilitiesOf, isAtLeast } from "./capabilities.ts";
import { closeError } from "./connection.ts";
import { deadLettersOf } from "./dead-letters.ts";
import { asError, fromRequest, lost } from "./errors.ts";
import { GroupStore } from "./group-store.ts";
import { guarded } from "./guarded.ts";
import { type HealthParts, lookAtClock, pingWithRoom } from "./health.ts";
import { historyOf } from "./history.ts";
import { abortable, JetStreamApi } from "./jetstream-api.ts";
import type { LockParts } from "./lease-lock.ts";
import { Leftovers } from "./leftovers.ts";
import { LiveSubscription } from "./live-subscription.ts";
import { Members } from "./members.ts";
import { Mover } from "./mover.ts";
import { classHintSubject, recordSubject, type Topology } from "./names.ts";
import type { Settings } from "./options.ts";
import { Outgoing } from "./outgoing.ts";
import { Publisher } from "./publisher.ts";
import type { Stranded } from "./receipts.ts";
import { RoundTrips } from "./round-trips.ts";
import { ServerClock } from "./server-clock.ts";
import { ensureStreams, type StreamsFound, streamWarnings } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";

const watchMs = 500;
/**
 * A server that deletes a stream or a consumer frees its name before it removes its files. One that is made again within that time loses the new files,
 * and then takes no messages ("1.blk: no such file or directory"; 2.9.10, 3 of 12 times when made again within 20 ms). So nothing is made at once.
 */
const deletionMs = 1_000;
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
  readonly #publisher: Publisher;
  readonly #outgoing: Outgoing;
  readonly #mover: Mover;
  readonly #members: Members;
  /** Where the stream keeps only what is of use. */
  readonly #sweeper: Sweeper | undefined;
  readonly #over = new AbortController();
  readonly #roundTrips: RoundTrips;
  readonly #live = new Set<LiveSubscription>();
  readonly #apiPrefix: string;
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
    this.#roundTrips = new RoundTrips(connection, this.#over.signal);
    this.#apiPrefix = settings.domain === undefined ? "$JS.API" : `$JS.${settings.domain}.API`;
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
    const groups = new GroupStore({ api, publisher: this.#publisher, topology, settings, random, hasManyFilters, repair: () => this.#repair() });
    const common: HealthParts & LockParts & { readonly apiPrefix: string; readonly roundTrips: RoundTrips; readonly over: AbortSignal } = {
      connection,
      clock,
      api,
      publisher: this.#publisher,
      topology,
      inboxPrefix,
      apiPrefix: this.#apiPrefix,
      serverClock: new ServerClock(clock),
      lookAtClock: () => this.#whileAlive(() => lookAtClock(common)),
      roundTrips: this.#roundTrips,
      over: this.#over.signal,
    };
    this.#mover = new Mover({
      ...common,
      random,
      incarnationOf: async (group) => {
        const stored = await groups.load(group);
        return stored === undefined ? "unknown" : stored.record.isRemoved === true ? undefined : stored.record.incarnation;
      },
      announce: (delayClass) => connection.publish(classHintSubject(settings, topology), String(delayClass)),
      warn: (text, error) => host.report({ type: "warning", text: `${text} ${error.message}` }),
    });
    this.#sweeper =
      settings.stream.retention === "limits" ? undefined : new Sweeper({ api, clock, random, topology, warn: (thrown) => this.#onSweepFailure(thrown) });
    const leftovers = new Leftovers({ ...common, random, warn: (thrown) => this.#onSweepFailure(thrown) });
    this.#members = new Members({
      ...common,
      host,
      settings,
      groups,
      mover: this.#mover,
      leftovers,
      repairStreams: () => this.#repair(),
      assertAlive: () => this.#assertAlive(),
      isOver: () => this.#ended !== undefined,
    });
    const hasGroup = (group: string): Promise<boolean> => this.#members.hasGroup(group);
    this.#outgoing = new Outgoing({ connection, publisher: this.#publisher, topology, sweeper: this.#sweeper, hasGroup });
    const ended = (): Error | undefined => this.#ended;
    this.deadLetters = guarded(deadLettersOf({ ...common, hasGroup }), ended);
    this.admin = guarded(
      adminOf({
        ...common,
        groups,
        keepsTopics: settings.stream.retention === "limits",
        ping: () => pingWithRoom(common),
        warnings: () => streamWarnings(api, topology, settings),
        changed: (group) => this.#members.reload(group),
      }),
      ended,
    );
    this.history = settings.stream.retention === "limits" ? guarded(historyOf({ ...common, hasManyFilters }), ended) : undefined;
  }

  async start(): Promise<void> {
    const { connection, host, settings, topology, stranded } = this.#parts;
    void this.#followStatus();
    void connection.closed().then((error) => this.#end(closeError(error ?? undefined, this.#parts.settings.where)));
    await stranded.giveBack(connection, host.clock, this.#apiPrefix);
    this.#listening = [
      // A definition that is published may still be refused: it is a hint to read again, no more.
      connection.subscribe(recordSubject(topology, "*"), {
        callback: (_, { subject }) => this.#members.onHint(subject.slice(recordSubject(topology, "").length)),
      }),
      connection.subscribe(classHintSubject(settings, topology), { callback: (_, message) => this.#mover.join(Number(message.string())) }),
    ];
    await this.#roundTrips.flush();
    this.#watch();
  }

  async publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    this.#assertAlive();
    return this.#outgoing.publish(messages, request);
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    this.#assertAlive();
    const { group } = request;
    if (group === undefined) return this.#subscribeLive(request, signal);
    return this.#members.subscribe(request, group, signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { connection, settings } = this.#parts;
    const over = lost();
    await Promise.all([this.#members.close(over), ...[...this.#live].map((live) => live.close(over).catch(() => undefined))]);
    await this.#mover.close();
    if (!connection.isClosed()) await this.#roundTrips.flush().catch(() => undefined); // ended meanwhile
    this.#end(undefined);
    for (const subscription of this.#listening) if (!connection.isClosed()) subscription.unsubscribe();
    if (settings.connection === undefined) await connection.close();
  }

  /** It is tried again; a connection that has ended is told by its end. */
  #onSweepFailure(thrown: unknown): void {
    if (this.#ended !== undefined || isHalyardError(thrown, "TIMEOUT") || isHalyardError(thrown, "CONNECTION_LOST")) return;
    this.#parts.host.report({ type: "warning", text: `What was handled could not be removed from its stream: ${asError(thrown).message}` });
  }

  async #subscribeLive({ patterns, inFlightMax }: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    const { connection, host, topology } = this.#parts;
    const live = new LiveSubscription({ connection, host, topology, patterns, inFlightMax, onClose: (subscription) => this.#live.delete(subscription) });
    this.#live.add(live);
    try {
      await abortable(signal, "Subscribing", this.#roundTrips.flush());
    } catch (thrown) {
      await live.close();
      throw this.#ended ?? fromRequest(thrown, "Subscribing");
    }
    if (live.failure !== undefined) throw live.failure;
    return live;
  }

  /** Makes missing streams again, a moment after something was found missing. One at a time, whoever asks. */
  #repair(): Promise<void> {
    this.#repairing ??= this.#repairStreams().finally(() => {
      this.#repairing = undefined;
    });
    this.#repairing.catch(() => undefined); // who waits for it is told; others only started it
    return this.#repairing;
  }

  async #repairStreams(): Promise<void> {
    const { host, settings, topology } = this.#parts;
    await sleep(host.clock, deletionMs);
    this.#assertAlive();
    const { made } = await ensureStreams(this.#api, topology, settings);
    for (const stream of made) host.report({ type: "recreated", what: `stream ${stream}`, lost: "unknown" });
  }

  #watch(): void {
    this.#cancelWatch = this.#parts.host.clock.after(watchMs, () => {
      const nowMs = this.#parts.host.clock.monotonicMs();
      this.#members.watch(nowMs);
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
    await this.#members.close();
    const untilMs = host.clock.monotonicMs() + goodbyeMs;
    while (this.#publisher.open > 0 && host.clock.monotonicMs() < untilMs) await sleep(host.clock, 10);
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

  async #whileAlive<Value>(run: () => Promise<Value>): Promise<Value> {
    this.#assertAlive();
    return run();
  }

  #assertAlive(): void {
    if (this.#ended !== undefined) throw lost(this.#ended);
  }
}
