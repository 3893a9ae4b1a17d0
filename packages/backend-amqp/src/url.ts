/** Reads `amqp://user:password@host:port/vhost?heartbeat=10`. Errors never repeat the text: it may hold a password. */
import { HalyardError } from "@halyard/core/spi";

export interface ReadUrl {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly vhost: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly isTls: boolean;
  readonly heartbeatMs: number | undefined;
  readonly connectionTimeoutMs: number | undefined;
}

/** As RabbitMQ's clients read it: a path of `/` alone is the vhost with the empty name to the letter of the specification, and the default one to everybody. */
export function readUrl(text: string): ReadUrl {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "amqp:" && url.protocol !== "amqps:")) throw invalid("must look like amqp://user:password@host:port/vhost");
  let heartbeatMs: number | undefined;
  let connectionTimeoutMs: number | undefined;
  for (const [name, value] of url.searchParams) {
    if (!/^\d{1,9}$/.test(value)) throw invalid(`has a parameter ${JSON.stringify(name)} that is no whole number`);
    if (name === "heartbeat") heartbeatMs = Number(value) * 1_000;
    else if (name === "connection_timeout") connectionTimeoutMs = Number(value);
    else throw invalid(`has an unknown parameter ${JSON.stringify(name)}: heartbeat and connection_timeout are read, the rest are options`);
  }
  try {
    return {
      host: url.hostname === "" ? undefined : decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? undefined : Number(url.port),
      vhost: url.pathname.length <= 1 ? undefined : decodeURIComponent(url.pathname.slice(1)),
      user: url.username === "" ? undefined : decodeURIComponent(url.username),
      password: url.password === "" ? undefined : decodeURIComponent(url.password),
      isTls: url.protocol === "amqps:",
      heartbeatMs,
      connectionTimeoutMs,
    };
  } catch {
    throw invalid("has a % that is no escape: write % as %25");
  }
}

const invalid = (what: string): HalyardError => new HalyardError("INVALID_OPTIONS", `url ${what}.`, { details: { option: "url" } });
