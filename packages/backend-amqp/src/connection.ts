/**
 * One connection of amqplib, with listeners for its whole life (without them a broken connection ends the process), an end that can be waited for,
 * and a way to cut it: amqplib can only close politely, which a peer that does not answer never lets it finish. The socket is therefore made with
 * an abort signal of ours.
 *
 * amqplib's own recovery stays off: a dead connection ends the session, and core opens the next one.
 */
import { type Clock, endsWithin, HalyardError, unlessAborted } from "@halyard/core/spi";
import { type ChannelModel, connect, credentials } from "amqplib";
import { abortedError, connectError } from "./errors.ts";
import type { AmqpTls, Place, Settings } from "./options.ts";

/** How long a polite goodbye may take. */
const closeMsMax = 2_000;

export interface Connection {
  readonly model: ChannelModel;
  /** E.g. `3.10.8`. */
  readonly version: string;
  readonly product: string;
  /** Resolves when the connection is over; with the error where there was one. */
  readonly ended: Promise<Error | undefined>;
  readonly isOpen: boolean;
  onBlocked(listener: (reason: string | undefined) => void): void;
  /** Says goodbye, and cuts the connection where nobody answers. A connection that was handed in stays open. */
  close(): Promise<void>;
  destroy(): void;
}

/** `role` is in the name of the connection, which the broker's tools show. Rejects with the codes that `Backend.connect` promises. */
export async function openConnection(settings: Settings, name: string, clock: Clock, signal: AbortSignal): Promise<Connection> {
  const { place } = settings;
  const where = `${place.host}:${place.port}`;
  if (signal.aborted) throw abortedError(`Connecting to RabbitMQ at ${where}`);
  const cutter = new AbortController();
  const onAbort = (): void => cutter.abort(abortedError(`Connecting to RabbitMQ at ${where}`));
  signal.addEventListener("abort", onAbort);
  try {
    const opening = open(settings, name, cutter.signal);
    // One that comes after the abort belongs to nobody.
    opening.then(
      (model) => {
        if (cutter.signal.aborted) quietly(model);
      },
      () => undefined,
    );
    const model = await unlessAborted(cutter.signal, () => abortedError(`Connecting to RabbitMQ at ${where}`), opening);
    return new OwnConnection(model, clock, cutter);
  } catch (thrown) {
    cutter.abort();
    throw thrown instanceof HalyardError ? thrown : connectError(thrown, where, place.vhost);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function open({ place, connectionTimeoutMs, heartbeatSeconds }: Settings, name: string, signal: AbortSignal): Promise<ChannelModel> {
  const { host, port, vhost, user, password, tls } = place;
  return connect(
    {
      protocol: tls === undefined ? "amqp" : "amqps",
      hostname: host,
      port,
      vhost: encodeURIComponent(vhost),
      heartbeat: heartbeatSeconds,
      username: user,
      password,
    },
    {
      noDelay: true,
      timeout: connectionTimeoutMs,
      clientProperties: { connection_name: name, product: "Halyard" },
      ...(tls === undefined ? {} : tlsOptions(tls, place)),
      ...{ signal }, // of node:net's Socket; amqplib hands all options on
    },
  );
}

function tlsOptions(tls: AmqpTls, { user, password }: Place): Record<string, unknown> {
  return { ...tls, rejectUnauthorized: true, credentials: credentials.plain(user, password) };
}

function quietly(model: ChannelModel): void {
  model.on("error", () => undefined); // nobody waits for it any more
  model.close().catch(() => undefined);
}

/** One that the user opened: used, watched, never closed. */
export function adoptConnection(model: ChannelModel): Connection {
  return new AdoptedConnection(model);
}

abstract class WatchedConnection implements Connection {
  readonly model: ChannelModel;
  readonly version: string;
  readonly product: string;
  readonly ended: Promise<Error | undefined>;
  isOpen = true;
  #error: Error | undefined;
  #resolveEnded: (error: Error | undefined) => void = () => undefined;
  #onBlocked: (reason: string | undefined) => void = () => undefined;

  constructor(model: ChannelModel) {
    this.model = model;
    const { version, product } = model.connection.serverProperties;
    this.version = String(version);
    this.product = String(product);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    model.on("error", this.onError);
    model.on("close", this.onClose);
    model.on("blocked", this.onBlockedEvent);
    model.on("unblocked", this.onUnblocked);
  }

  onBlocked(listener: (reason: string | undefined) => void): void {
    this.#onBlocked = listener;
  }

  protected readonly onError = (error: Error): void => {
    this.#error ??= error;
  };
  protected readonly onClose = (error?: Error): void => this.end(this.#error ?? error);
  protected readonly onBlockedEvent = (reason: string): void => this.#onBlocked(String(reason));
  protected readonly onUnblocked = (): void => this.#onBlocked(undefined);

  protected end(error: Error | undefined): void {
    this.isOpen = false;
    this.#resolveEnded(error);
  }

  abstract close(): Promise<void>;
  abstract destroy(): void;
}

class OwnConnection extends WatchedConnection {
  readonly #clock: Clock;
  readonly #cutter: AbortController;

  constructor(model: ChannelModel, clock: Clock, cutter: AbortController) {
    super(model);
    this.#clock = clock;
    this.#cutter = cutter;
  }

  async close(): Promise<void> {
    if (this.isOpen) await endsWithin(this.#clock, closeMsMax, this.model.close());
    this.destroy();
  }

  /** The listeners stay: a socket may fail once more while it is torn down. */
  destroy(): void {
    this.#cutter.abort();
    this.end(undefined);
  }
}

class AdoptedConnection extends WatchedConnection {
  async close(): Promise<void> {
    this.destroy();
  }

  destroy(): void {
    this.model.off("error", this.onError);
    this.model.off("close", this.onClose);
    this.model.off("blocked", this.onBlockedEvent);
    this.model.off("unblocked", this.onUnblocked);
    this.end(undefined);
  }
}
