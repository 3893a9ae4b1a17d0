/** Waiting with an end. amqplib has no deadlines: a request that the broker, the network or a bad argument leaves unanswered waits for ever. */
import { type Clock, HalyardError } from "@halyard/core/spi";

/** Rejects with `TIMEOUT` when nothing came within `deadlineMs`; what comes later is ignored. */
export async function within<Value>(clock: Clock, deadlineMs: number, what: string, running: Promise<Value>): Promise<Value> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(deadlineMs, () => reject(new HalyardError("TIMEOUT", `${what} was not answered by RabbitMQ within ${deadlineMs} ms.`)));
  });
  running.catch(() => undefined); // may fail after its deadline, when nobody waits any more
  try {
    return await Promise.race([running, late]);
  } finally {
    cancel();
  }
}
