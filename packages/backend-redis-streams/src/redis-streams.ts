import { type Backend, type Capabilities, HalyardError, type Host, isHalyardError, type Session } from "@halyard/core/spi";
import { openConnection } from "./connect.ts";
import { fromConnecting } from "./errors.ts";
import { keyRoot } from "./keys.ts";
import { type RedisStreamsOptions, type Settings, settingsOf } from "./options.ts";
import { type Scripts, scriptsOf } from "./scripts/index.ts";
import { askFacts, type ServerFacts } from "./server-facts.ts";
import { RedisSession } from "./session.ts";

/** Redis takes strings of 512 MiB; a script holds some copies of a message while it stores it. */
const bodyBytesMax = 32 * 1024 * 1024;
/** Oldest version with all that the scripts use (`XPENDING … IDLE`, `ZADD LT`). */
const versionMin = [6, 2] as const;
/** Broken sessions that a process remembers, to give back what they held. */
const brokenMax = 1_000;

/** A consumer whose session broke. */
interface Broken {
  readonly owner: string;
  readonly consumer: string;
  readonly groups: readonly string[];
}

/**
 * A backend on Redis Streams: one server (127.0.0.1:6379 where nothing is said), a master behind Sentinels, or a Redis Cluster.
 *
 * @example
 * const bus = await createBus({ backend: redisStreams("redis://user:password@127.0.0.1:6379") });
 *
 * @throws INVALID_OPTIONS
 */
export function redisStreams(options: string | RedisStreamsOptions = {}): Backend {
  const settings = settingsOf(options);
  const scripts = scriptsOf(settings);
  const broken: Broken[] = [];
  return {
    specVersion: 1,
    name: "redis-streams",
    async connect(host, signal) {
      const owner = `${host.namespace} ${host.clientName}`;
      const session = await connect(settings, scripts, host, signal, (consumer, groups) => {
        broken.push({ owner, consumer, groups });
        if (broken.length > brokenMax) broken.shift();
      });
      try {
        for (const one of broken.filter((each) => each.owner === owner)) {
          await session.takeOver(one.consumer, one.groups);
          broken.splice(broken.indexOf(one), 1);
        }
        return session satisfies Session;
      } catch (error) {
        await session.close();
        throw fromConnecting(error, settings.connection.where);
      }
    },
  };
}

async function connect(
  settings: Settings,
  scripts: Scripts,
  host: Host,
  signal: AbortSignal,
  onBroken: (consumer: string, groups: readonly string[]) => void,
): Promise<RedisSession> {
  const { where } = settings.connection;
  const root = keyRoot(settings.keyPrefix, host.namespace);
  const opened = await openConnection(settings, root, host, signal);
  try {
    const facts = await askFacts((name, ...args) => opened.client.call(name, [...args]));
    assertFit(facts, where);
    await Promise.all(Object.values(scripts).map(({ lua }) => opened.client.call("SCRIPT", ["LOAD", lua])));
    return new RedisSession({ opened, root, host, settings, scripts, facts, capabilities: capabilitiesOf(settings, facts), onBroken });
  } catch (error) {
    opened.client.disconnect();
    throw isHalyardError(error) ? error : fromConnecting(error, where);
  }
}

function assertFit({ version, isMaster }: ServerFacts, where: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1]))
    throw new HalyardError("UNSUPPORTED", `Redis at ${where} is version ${version}; ${versionMin.join(".")} or newer is needed.`);
  if (!isMaster) throw new HalyardError("CONNECT_FAILED", `Redis at ${where} is a replica: connect to its master, or give the sentinels.`);
}

function capabilitiesOf({ dedupMs, history }: Settings, { hasAppendOnlyFile }: ServerFacts): Capabilities {
  return {
    durable: hasAppendOnlyFile,
    dedupMs,
    orderedTopics: true,
    exclusive: true,
    priorityLevels: 1,
    delayMsMax: Number.MAX_SAFE_INTEGER,
    // Sessions wake for what they delayed themselves.
    delayLateness: { ratio: 0, floorMs: 250 },
    countsDeliveries: true,
    handlerMsMax: undefined,
    startsAt: { earliest: history !== undefined, time: history !== undefined },
    bodyBytesMax,
    carriesValues: false,
    persistentByMessage: false,
  };
}
