/**
 * Asks the sentinels where the master is: all at once, and the first that names one decides, so one that stands still holds nobody up.
 *
 * ioredis can ask them too, one after the other. But it drops why a sentinel was not believed (a certificate, a password), and it asks again for each
 * connection, so that those of one session may lead to two masters.
 */
import { HalyardError, isHalyardError } from "@halyard/core/spi";
import { fromConnecting } from "./errors.ts";
import { type OpenParts, open } from "./open.ts";
import { nameOf, type RedisAddress, type SentinelPlan } from "./plan.ts";

/**
 * Rejects with `TLS_FAILED` or `AUTH_FAILED` where that is what all sentinels say, else with `CONNECT_FAILED`: while one of them is only down, trying again
 * is worth it. And with `ABORTED` when `signal` aborts.
 */
export async function masterOf(plan: SentinelPlan, clientName: string, parts: OpenParts): Promise<RedisAddress> {
  const decided = new AbortController();
  const signal = AbortSignal.any([parts.signal, decided.signal]);
  try {
    return await Promise.any(plan.sentinels.map((sentinel) => ask(plan, sentinel, clientName, { ...parts, signal })));
  } catch (error) {
    throw error instanceof AggregateError ? summary(plan.name, error.errors as HalyardError[]) : error; // `ask` throws nothing else
  } finally {
    decided.abort();
  }
}

async function ask({ name, base }: SentinelPlan, sentinel: RedisAddress, clientName: string, parts: OpenParts): Promise<RedisAddress> {
  const where = `the sentinel ${nameOf(sentinel)}`;
  try {
    const client = await open({ ...base, ...sentinel }, clientName, parts);
    try {
      const answer = await client.call("SENTINEL", "get-master-addr-by-name", name);
      if (!Array.isArray(answer)) throw new HalyardError("CONNECT_FAILED", `At ${where} no master is called ${JSON.stringify(name)}.`);
      return { host: String(answer[0]), port: Number(answer[1]) };
    } finally {
      client.disconnect();
    }
  } catch (error) {
    const failure = fromConnecting(error, where);
    if (failure.code !== "AUTH_FAILED") throw failure;
    const text = `Redis at ${where} did not accept the credentials: check sentinelUsername and sentinelPassword.`;
    throw new HalyardError("AUTH_FAILED", text, { cause: failure.cause });
  }
}

function summary(name: string, failures: readonly HalyardError[]): HalyardError {
  const [first] = failures;
  const isOneKind = failures.every(({ code }) => code === first?.code);
  if (first !== undefined && isOneKind && !isHalyardError(first, "CONNECT_FAILED")) return first;
  const text = `No sentinel says where the master ${name} is: ${failures.map(({ message }) => message).join(" ")}`;
  return new HalyardError("CONNECT_FAILED", text, { cause: first });
}
