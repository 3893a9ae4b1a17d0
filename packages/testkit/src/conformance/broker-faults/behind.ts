/** The same broker, reached through another port: that of a fault proxy. */
import type { Broker } from "../../brokers/broker.ts";
import { replacing } from "../../faulty/wrap.ts";

export function behind(port: number, broker: Broker): Broker {
  const url = new URL(broker.url);
  url.port = String(port);
  return replacing(broker, { port, url: url.href.replace(/\/$/, "") });
}
