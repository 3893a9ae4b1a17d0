/** Reads `amqp://user:password@host:port/vhost?heartbeat=10` into options, under which it is checked like them. */
import { agreed, invalidOption, readUrl, type UrlForm } from "@halyard/core/spi";
import type { AmqpOptions } from "./options.ts";

/** Parameters under the names of RabbitMQ's specification of URIs, and under those of amqplib. */
const form: UrlForm = {
  protocols: ["amqp", "amqps"],
  example: "amqp://user:password@host:port/vhost",
  parameters: ["heartbeat", "connection_timeout", "frame_max", "frameMax", "channel_max", "channelMax", "auth_mechanism"],
};

/** What a URL may say. */
type SaidByUrl = "host" | "port" | "vhost" | "user" | "password" | "tls" | "authMechanism" | "connectTimeoutMs" | "heartbeatMs" | "frameMax" | "channelMax";

/**
 * As RabbitMQ's clients read it: a path of `/` alone is the vhost with the empty name to the letter of the specification, and the default one to everybody.
 * `name` is the option that the URL stands in. Nothing but the form of the URL is checked.
 *
 * @throws INVALID_OPTIONS
 */
export function optionsOfUrl(name: string, url: string): Readonly<Record<SaidByUrl & keyof AmqpOptions, unknown>> {
  const { protocol, host, port, path, username, password, parameters } = readUrl(name, url, form);
  const number = (parameter: string): number | undefined => {
    const digits = parameters.get(parameter);
    if (digits !== undefined && !/^\d{1,9}$/.test(digits)) throw invalidOption(name, `has a parameter ${parameter} that is no whole number`);
    return digits === undefined ? undefined : Number(digits);
  };
  const heartbeatSeconds = number("heartbeat");
  return {
    host,
    port,
    vhost: path,
    user: username,
    password,
    tls: protocol === "amqps" ? true : undefined,
    authMechanism: parameters.get("auth_mechanism")?.toLowerCase(),
    connectTimeoutMs: number("connection_timeout"),
    heartbeatMs: heartbeatSeconds === undefined ? undefined : heartbeatSeconds * 1_000,
    frameMax: agreed("frameMax", number("frame_max"), number("frameMax")),
    channelMax: agreed("channelMax", number("channel_max"), number("channelMax")),
  };
}
