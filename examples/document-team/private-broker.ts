/** A broker for one run of the demo, on a free port of this machine with temporary data. It goes with the process that started it, however that ends. */
import { type Broker, type BrokerKind, findBroker } from "@halyard/testkit/brokers";
import type { MeetingPlace } from "./backends.ts";
import { UsageError } from "./usage-error.ts";

/** The program, which has the name of its package on Debian and Ubuntu. */
const programs: Readonly<Record<BrokerKind, string>> = { redis: "redis-server", nats: "nats-server", rabbitmq: "rabbitmq-server" };

/** @throws UsageError where the broker is not installed */
export async function startPrivateBroker(
  title: string,
  kind: BrokerKind,
  start: (options: { readonly isOwned: true }) => Promise<Broker>,
): Promise<MeetingPlace> {
  if (findBroker(kind) === undefined) {
    throw new UsageError(`${programs[kind]} is not installed here (Debian, Ubuntu: apt-get install ${programs[kind]}); for one that runs elsewhere give --url`);
  }
  const broker = await start({ isOwned: true });
  return { address: broker.url, title: `${title} ${broker.version} of their own on port ${broker.port}`, end: () => broker.stop() };
}
