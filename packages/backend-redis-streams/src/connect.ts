/**
 * Finds the server to talk to: the one that was named, the master that sentinels name, or the node of a cluster that has the namespace.
 *
 * A cluster needs no cluster client: a namespace lies in one hash slot, so one node has all of it. Any node is asked for a key of the namespace, and
 * where it answers `MOVED`, that is where to go. After a failover the session ends, and the next one asks again.
 */
import { HalyardError, type Host } from "@halyard/core/spi";
import type { Redis } from "ioredis";
import { fromConnecting, movedTo } from "./errors.ts";
import { open } from "./open.ts";
import type { Settings } from "./options.ts";
import type { RedisAddress } from "./plan.ts";
import { masterOf } from "./sentinels.ts";

/** A chain of MOVED answers longer than this is a cluster that does not know its own slots. */
const hopsMax = 5;

export interface Opened {
  readonly client: Redis;
  /** Opens another connection to the same server. `kind` stands behind the client's name in `CLIENT LIST`. */
  another(kind: string): Promise<Redis>;
}

/** Rejects with `AUTH_FAILED`, `NOT_AUTHORIZED`, `TLS_FAILED`, `CONNECT_FAILED`, or `ABORTED` when `signal` aborts. */
export async function openConnection(settings: Settings, root: string, host: Host, signal: AbortSignal): Promise<Opened> {
  const { seeds, where, sentinel, natMap } = settings.connection;
  const parts = { clock: host.clock, timeoutMs: settings.commandTimeoutMs, signal };
  const places = sentinel === undefined ? seeds : [natMap(await masterOf(sentinel, host.clientName, parts))];
  let failure: unknown;
  for (const place of places) {
    try {
      return await openAt(settings, root, host, signal, place);
    } catch (error) {
      failure = fromConnecting(error, where);
      if (signal.aborted || (failure as HalyardError).code !== "CONNECT_FAILED") break;
    }
  }
  throw failure;
}

async function openAt(settings: Settings, root: string, host: Host, signal: AbortSignal, start: RedisAddress): Promise<Opened> {
  const { base, natMap } = settings.connection;
  const parts = { clock: host.clock, timeoutMs: settings.commandTimeoutMs, signal };
  let place = start;
  for (let hop = 0; hop < hopsMax; hop++) {
    const options = { ...base, ...place };
    const openAs = (name: string): Promise<Redis> => open(options, name, parts);
    const client = await openAs(host.clientName);
    try {
      await client.exists(root);
      return { client, another: (kind) => openAs(`${host.clientName}-${kind}`) };
    } catch (error) {
      client.disconnect();
      const moved = movedTo(error);
      if (moved === undefined) throw error;
      place = natMap({ host: moved.host ?? place.host, port: moved.port });
    }
  }
  throw new HalyardError("CONNECT_FAILED", `The nodes of the cluster send each other's clients in circles (${hopsMax} times MOVED).`);
}
