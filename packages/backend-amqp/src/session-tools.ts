/** What the parts of a session share: names, channels, what declares, what publishes, and two questions about the session itself. */
import type { Clock, HalyardError } from "@halyard/core/spi";
import { type ChannelParts, ChannelPool } from "./channel.ts";
import { Declare } from "./declare.ts";
import { GroupLives } from "./group-life.ts";
import { type NamespaceNames, namesOf } from "./names.ts";
import { Publisher } from "./publisher.ts";
import type { SessionParts } from "./session.ts";
import type { WriteOptions } from "./wire.ts";

export interface SessionTools {
  readonly clock: Clock;
  readonly random: () => number;
  readonly names: NamespaceNames;
  /** Where channels that consume and administer are opened. */
  readonly channels: ChannelParts;
  /** For single requests. */
  readonly pool: ChannelPool;
  readonly declare: Declare;
  readonly lives: GroupLives;
  readonly publisher: Publisher;
  readonly write: WriteOptions;
  /** Why the session is over; `undefined` while it lives. */
  readonly lost: () => HalyardError | undefined;
  /** Why the broker takes no publishes now. */
  readonly blocked: () => string | undefined;
}

export interface SessionHooks extends Pick<SessionTools, "lost" | "blocked"> {
  readonly exchangeGone: (error: Error) => void;
}

export function toolsOf({ settings, host, publishing, consuming }: SessionParts, { lost, blocked, exchangeGone }: SessionHooks): SessionTools {
  const { clock, random } = host;
  const { requestTimeoutMs } = settings;
  const names = namesOf(settings.names, host.namespace);
  const channels: ChannelParts = { connection: consuming, clock, requestTimeoutMs };
  const pool = new ChannelPool(channels);
  const lives = new GroupLives({ channels, pool, names });
  const declare = new Declare({ pool, names, settings, lives, host, onExchangeGone: exchangeGone });
  const prepare = (): Promise<void> => declare.namespace();
  const publisher = new Publisher({ connection: publishing, clock, requestTimeoutMs, prepare, onMissing: exchangeGone });
  return { clock, random, names, channels, pool, declare, lives, publisher, write: { saysPriority: settings.queue.type === "classic" }, lost, blocked };
}
