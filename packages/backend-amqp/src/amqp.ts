/** `amqp()`: the backend for RabbitMQ. */
import { type Backend, HalyardError, type Host, type Session, unlessAborted } from "@halyard/core/spi";
import { versionMin, versionNumber } from "./capabilities.ts";
import { adoptConnection, type Connection, openConnection } from "./connection.ts";
import { ConsumerTimeout } from "./consumer-timeout.ts";
import { abortedError } from "./errors.ts";
import { type AmqpOptions, type Settings, settingsOf } from "./options.ts";
import { AmqpSession } from "./session.ts";

/**
 * The bus on RabbitMQ 3.10 or newer. A text is a URL: `amqp://user:password@host:port/vhost`.
 *
 * @throws INVALID_OPTIONS
 * @example
 * const bus = await createBus({ backend: amqp("amqp://localhost") });
 */
export function amqp(options: string | AmqpOptions = {}): Backend {
  const settings = settingsOf(typeof options === "string" ? { url: options } : options);
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
  const { connection } = settings;
  if (connection !== undefined) {
    const model = typeof connection === "function" ? await unlessAborted(signal, () => abortedError("Connecting to RabbitMQ"), connection()) : connection;
    const adopted = adoptConnection(model);
    return [adopted, adopted];
  }
  const { clientName, namespace, clock } = host;
  const both = await Promise.allSettled(["publish", "consume"].map((role) => openConnection(settings, `${clientName} (${namespace}, ${role})`, clock, signal)));
  const [publishing, consuming] = both;
  if (publishing?.status === "fulfilled" && consuming?.status === "fulfilled") return [publishing.value, consuming.value];
  for (const one of both) if (one.status === "fulfilled") one.value.destroy();
  throw both.find((one) => one.status === "rejected")?.reason;
}
