/** `amqp()`: the backend for RabbitMQ. */
import { type Backend, HalyardError, type Host, type Session, unlessAborted } from "@halyard/core/spi";
import { versionMin, versionNumber } from "./capabilities.ts";
import { adoptConnection, type Connection, openConnection } from "./connection.ts";
import { ConsumerTimeout } from "./consumer-timeout.ts";
import { abortedError } from "./errors.ts";
import { type AmqpConnection, type AmqpOptions, type Connections, type Settings, settingsOf } from "./options.ts";
import { AmqpSession } from "./session.ts";

/**
 * The bus on RabbitMQ 3.10 or newer. A text is a URL: `amqp://user:password@host:port/vhost`.
 *
 * @throws INVALID_OPTIONS
 * @example
 * const bus = await createBus({ backend: amqp("amqp://localhost") });
 */
export function amqp(options: string | AmqpOptions = {}): Backend {
  const settings = settingsOf(options);
  const consumerTimeout = new ConsumerTimeout(settings.consumerTimeoutMs); // what one session learns holds for the next
  return {
    specVersion: 1,
    name: "amqp",
    connect: (host, signal) => connect(settings, consumerTimeout, host, signal),
  };
}

async function connect(settings: Settings, consumerTimeout: ConsumerTimeout, host: Host, signal: AbortSignal): Promise<Session> {
  const [publishing, consuming] = await openBoth(settings, host, signal);
  try {
    if (versionNumber(consuming.version) < versionNumber(versionMin))
      throw new HalyardError("UNSUPPORTED", `RabbitMQ ${consuming.version} is too old: ${versionMin} or newer is needed.`);
    const session = new AmqpSession({ settings, consumerTimeout, host, publishing, consuming });
    await unlessAborted(signal, () => abortedError("Connecting to RabbitMQ"), session.start());
    return session;
  } catch (error) {
    for (const connection of [publishing, consuming]) connection.destroy();
    throw error;
  }
}

async function openBoth(settings: Settings, host: Host, signal: AbortSignal): Promise<readonly [Connection, Connection]> {
  const { connections } = settings;
  if (connections !== undefined) return adoptBoth(connections, signal);
  const { clientName, namespace } = host;
  return both(["publish", "consume"].map((role) => openConnection(settings, `${clientName} (${namespace}, ${role})`, host, signal)));
}

async function adoptBoth(connections: Connections, signal: AbortSignal): Promise<readonly [Connection, Connection]> {
  const adopt = async (handed: AmqpConnection): Promise<Connection> =>
    adoptConnection(typeof handed === "function" ? await unlessAborted(signal, () => abortedError("Connecting to RabbitMQ"), handed()) : handed);
  if ("publish" in connections) return both([adopt(connections.publish), adopt(connections.consume)]);
  const adopted = await adopt(connections.both);
  return [adopted, adopted];
}

/** Both or none. */
async function both(opening: readonly Promise<Connection>[]): Promise<readonly [Connection, Connection]> {
  const ends = await Promise.allSettled(opening);
  const [publishing, consuming] = ends;
  if (publishing?.status === "fulfilled" && consuming?.status === "fulfilled") return [publishing.value, consuming.value];
  for (const end of ends) if (end.status === "fulfilled") end.value.destroy();
  throw ends.find((end) => end.status === "rejected")?.reason;
}
