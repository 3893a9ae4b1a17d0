/** Reads `amqp://user:password@host:port/vhost?heartbeat=10`. Errors never repeat the text: it may hold a password. */
import { invalid } from "./option-checks.ts";

export interface ReadUrl {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly vhost: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly isTls: boolean;
  readonly parameters: UrlParameters;
}

/** What the query may say. */
export interface UrlParameters {
  readonly heartbeatMs?: number;
  readonly connectTimeoutMs?: number;
  readonly frameMax?: number;
  readonly channelMax?: number;
  readonly authMechanism?: string;
}

/** Under the names of RabbitMQ's specification of URIs, and under those of amqplib. */
const parameters: Readonly<Record<string, readonly [keyof UrlParameters, (value: number) => number]>> = {
  heartbeat: ["heartbeatMs", (seconds) => seconds * 1_000],
  connection_timeout: ["connectTimeoutMs", (ms) => ms],
  frame_max: ["frameMax", (bytes) => bytes],
  frameMax: ["frameMax", (bytes) => bytes],
  channel_max: ["channelMax", (count) => count],
  channelMax: ["channelMax", (count) => count],
};

/** As RabbitMQ's clients read it: a path of `/` alone is the vhost with the empty name to the letter of the specification, and the default one to everybody. */
export function readUrl(text: string): ReadUrl {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "amqp:" && url.protocol !== "amqps:")) throw invalid("url", "must look like amqp://user:password@host:port/vhost");
  return {
    host: url.hostname === "" ? undefined : unescaped(url.hostname).replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? undefined : Number(url.port),
    vhost: url.pathname.length <= 1 ? undefined : unescaped(url.pathname.slice(1)),
    user: url.username === "" ? undefined : unescaped(url.username),
    password: url.password === "" ? undefined : unescaped(url.password),
    isTls: url.protocol === "amqps:",
    parameters: parametersOf(url.searchParams),
  };
}

function parametersOf(query: URLSearchParams): UrlParameters {
  const found: { -readonly [Name in keyof UrlParameters]: UrlParameters[Name] } = {};
  for (const [name, value] of query) {
    if (name === "auth_mechanism") {
      found.authMechanism = value.toLowerCase();
      continue;
    }
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (parameter === undefined)
      throw invalid(
        "url",
        `has an unknown parameter ${JSON.stringify(name)}: ${Object.keys(parameters).join(", ")} and auth_mechanism are read, the rest are options`,
      );
    if (!/^\d{1,9}$/.test(value)) throw invalid("url", `has a parameter ${JSON.stringify(name)} that is no whole number`);
    const [option, convert] = parameter;
    found[option as Exclude<keyof UrlParameters, "authMechanism">] = convert(Number(value)); // the table holds numbers only
  }
  return found;
}

export function unescaped(part: string, name = "url"): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid(name, "has a % that is no escape: write % as %25");
  }
}
