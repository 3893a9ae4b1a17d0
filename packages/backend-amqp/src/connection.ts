/**
 * One connection of amqplib, with listeners for its whole life (without them a broken connection ends the process), an end that can be waited for,
 * and a way to cut it: amqplib can only close politely, which a peer that does not answer never lets it finish. The socket is therefore made with
 * an abort signal of ours.
 *
 * amqplib's own recovery stays off: a dead connection ends the session, and core opens the next one.
 */
import { type ClientTls, type Clock, endsWithin, HalyardError, type Host, isHalyardError, unlessAborted } from "@halyard/core/spi";
import { type ChannelModel, connect, credentials } from "amqplib";
import { abortedError, connectError } from "./errors.ts";
import { GatheredWrites } from "./gathered-writes.ts";
import type { Settings } from "./options.ts";
import type { Place } from "./place.ts";

/** How long a polite goodbye may take. */
const closeMsMax = 2_000;
/** Room for a batch of small messages, bytes. */
const writableHighWaterMark = 65_536;

export interface Connection {
  readonly model: ChannelModel;
  /** E.g. `3.10.8`. */
  readonly version: string;
  readonly product: string;
  /** Resolves when the connection is over; with the error where there was one. */
  readonly ended: Promise<Error | undefined>;
  readonly isOpen: boolean;
  /** To be called when something was written to one of its channels: it leaves together with what is written in the same turn. */
  readonly gather: () => void;
  onBlocked(listener: (reason: string | undefined) => void): void;
  /** Says goodbye, and cuts the connection where nobody answers. A connection that was handed in stays open. */
  close(): Promise<void>;
  destroy(): void;
}

/**
 * Tries the nodes in turn, beginning with any, so that buses spread over a cluster and one that does not answer is not asked first every time. `name` is
 * shown by the broker's tools. Rejects with the codes that `Backend.connect` promises.
 */
export async function openConnection(
  settings: Settings,
  name: string,
  { clock, random }: Pick<Host, "clock" | "random">,
  signal: AbortSignal,
): Promise<Connection> {
  const { nodes } = settings.place;
  const first = Math.floor(random() * nodes.length);
  let failure: unknown;
  for (const index of nodes.keys()) {
    const node = nodes[(first + index) % nodes.length];
    if (node === undefined) break; // an index of this list
    try {
      return await openNode(settings, node, name, clock, signal);
    } catch (thrown) {
      failure = thrown;
      // What one node refuses the others refuse as well.
      if (signal.aborted || isHalyardError(thrown, "AUTH_FAILED") || isHalyardError(thrown, "NOT_AUTHORIZED")) break;
    }
  }
  throw failure;
}

type Node = Place["nodes"][number];

async function openNode(settings: Settings, node: Node, name: string, clock: Clock, signal: AbortSignal): Promise<Connection> {
  const where = `${node.host}:${node.port}`;
  if (signal.aborted) throw abortedError(`Connecting to RabbitMQ at ${where}`);
  const cutter = new AbortController();
  const onAbort = (): void => cutter.abort(abortedError(`Connecting to RabbitMQ at ${where}`));
  signal.addEventListener("abort", onAbort);
  try {
    const opening = open(settings, node, name, cutter.signal);
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
    throw thrown instanceof HalyardError ? thrown : connectError(thrown, where, settings.place);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function open(
  { place, connectTimeoutMs, heartbeatSeconds, frameMax, channelMax }: Settings,
  node: Node,
  name: string,
  signal: AbortSignal,
): Promise<ChannelModel> {
  const { vhost, user, password, authMechanism, tls } = place;
  return connect(
    {
      protocol: tls === undefined ? "amqp" : "amqps",
      hostname: node.host,
      port: node.port,
      vhost: encodeURIComponent(vhost),
      heartbeat: heartbeatSeconds,
      ...(frameMax === undefined ? {} : { frameMax }),
      ...(channelMax === undefined ? {} : { channelMax }),
    },
    {
      ...tlsOptions(tls),
      noDelay: true,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: name, product: "Halyard" },
      credentials: authMechanism === "external" ? credentials.external() : credentials.plain(user, password),
      ...{ signal, writableHighWaterMark }, // of node:net's Socket; amqplib hands all options on
    },
  );
}

/** As `node:tls` takes them; amqplib's types know fewer. */
function tlsOptions(tls: ClientTls | undefined): Record<string, unknown> {
  return tls === undefined ? {} : { ...tls, rejectUnauthorized: true };
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
  readonly gather: () => void;
  isOpen = true;
  #error: Error | undefined;
  #resolveEnded: (error: Error | undefined) => void = () => undefined;
  #onBlocked: (reason: string | undefined) => void = () => undefined;

  constructor(model: ChannelModel) {
    this.model = model;
    const { version, product } = model.connection.serverProperties;
    this.version = String(version);
    this.product = String(product);
    this.gather = new GatheredWrites(model).begin;
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
