/** A broker that the user started and tests may only use. */
import { HalyardError } from "@halyard/core/spi";
import type { Broker, BrokerKind } from "./broker.ts";

const portDefaults: Readonly<Record<BrokerKind, number>> = { redis: 6379, nats: 4222, rabbitmq: 5672 };

export function externalBroker(kind: BrokerKind, url: string): Broker {
  const { hostname, port } = new URL(url);
  const refuse = (what: string): never => {
    throw new HalyardError("UNSUPPORTED", `This ${kind} broker was running before; it is used, but never ${what}.`);
  };
  const nothing = async (): Promise<void> => undefined;
  return {
    url,
    host: hostname,
    port: port === "" ? portDefaults[kind] : Number(port),
    pid: 0,
    version: "unknown",
    isOwned: false,
    restart: async () => refuse("restarted"),
    kill: async () => refuse("killed"),
    shutDown: async () => refuse("stopped"),
    start: async () => refuse("started"),
    pause: () => refuse("paused"),
    resume: () => refuse("paused"),
    stop: nothing,
    log: () => "",
    [Symbol.asyncDispose]: nothing,
  };
}
