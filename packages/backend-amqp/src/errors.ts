/** Errors of amqplib and of the broker, translated once. The native error stays as `cause`; it never holds a password. */
import { HalyardError } from "@halyard/core/spi";
import type { Place } from "./place.ts";

/** Reply codes of AMQP 0-9-1 that we tell apart. */
export const replies = { accessRefused: 403, notFound: 404, resourceLocked: 405, preconditionFailed: 406, notAllowed: 530 } as const;

/** The reply code of an error that the broker closed a channel with. */
export function replyOf(error: unknown): number | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}

export const isReply = (error: unknown, code: number): boolean => replyOf(error) === code;

/** Codes of Node and OpenSSL that mean a certificate was not accepted, by us or by the broker. */
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|CRL_)/;

/** Why a connection could not be opened. `where` is host and port, without credentials. */
export function connectError(thrown: unknown, where: string, { vhost, authMechanism }: Pick<Place, "vhost" | "authMechanism">): HalyardError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { message } = error;
  const errno = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const options = { cause: error, ...(errno === undefined ? {} : { details: { errno } }) };
  if (/ACCESS[-_]REFUSED/.test(message))
    return new HalyardError(
      "AUTH_FAILED",
      `RabbitMQ at ${where} refused ${authMechanism === "external" ? "our certificate: is there a user of its name, and auth_mechanisms with EXTERNAL?" : "the credentials: check user and password."}`,
      options,
    );
  // The broker answers the same to a vhost that is missing and to one that is not for us, and amqplib shows neither.
  if (message.includes("Expected ConnectionOpenOk"))
    return new HalyardError(
      "NOT_AUTHORIZED",
      `RabbitMQ at ${where} did not open the vhost ${JSON.stringify(vhost)}: create it, or give this user permissions in it.`,
      options,
    );
  if (errno !== undefined && tlsCodes.test(errno))
    return new HalyardError(
      "TLS_FAILED",
      `The TLS connection to RabbitMQ at ${where} was not accepted (${message.trim()}): check tls.ca, tls.cert and tls.key, and that the port speaks TLS.`,
      options,
    );
  if (/Invalid frame|Expected ConnectionStart|Server sent/.test(message))
    return new HalyardError("PROTOCOL_ERROR", `What listens at ${where} does not speak AMQP 0-9-1 (${message}).`, options);
  return new HalyardError("CONNECT_FAILED", `RabbitMQ at ${where} cannot be reached: ${message.trim() || error.name}.`, options);
}

/** What a request on a channel failed with. The channel is closed by then. */
export function requestError(thrown: unknown, what: string): HalyardError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (consumerTimeoutOf(error) !== undefined)
    return new HalyardError("BACKEND_FAILED", `${what} failed: what its channel held was not settled within RabbitMQ's consumer_timeout.`, {
      cause: error,
      retryable: true,
    });
  switch (replyOf(error)) {
    case replies.accessRefused:
      return new HalyardError("NOT_AUTHORIZED", `${what} is not permitted: ${serverText(error)}. The README lists the permissions that are needed.`, {
        cause: error,
      });
    case replies.preconditionFailed:
      return new HalyardError(
        "INVALID_OPTIONS",
        `${what} failed, because it exists with other arguments: ${serverText(error)}. Give the same options as before, or delete it first.`,
        {
          cause: error,
          details: { argument: mismatch(error) },
        },
      );
    case undefined:
      return new HalyardError("BACKEND_FAILED", `${what} failed: ${error.message}`, { cause: error });
    default:
      return new HalyardError("BACKEND_FAILED", `${what} failed: ${serverText(error)}`, { cause: error });
  }
}

/**
 * Whether the broker closed a channel because something on it was not settled within its `consumer_timeout`, and how long that is where it says so.
 * The text is RabbitMQ's: "delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms."
 */
export function consumerTimeoutOf(error: unknown): { readonly timeoutMs: number | undefined } | undefined {
  if (!isReply(error, replies.preconditionFailed) || !(error instanceof Error) || !/acknowledgement on channel \d+ timed out/.test(error.message))
    return undefined;
  const timeoutMs = Number(/Timeout value used: (\d+) ms/.exec(error.message)?.[1]);
  return { timeoutMs: timeoutMs > 0 ? timeoutMs : undefined };
}

/** The argument that differs from what exists, e.g. `x-queue-type`. */
export function mismatch(error: unknown): string | undefined {
  return error instanceof Error ? /inequivalent arg '([^']+)'/.exec(error.message)?.[1] : undefined;
}

/** What the broker itself said, without amqplib's words around it. */
function serverText({ message }: Error): string {
  return /with message "(.*)"$/s.exec(message)?.[1] ?? message;
}

export const lostError = (cause: unknown): HalyardError =>
  new HalyardError(
    "CONNECTION_LOST",
    `The connection to RabbitMQ ended${cause instanceof Error ? `: ${cause.message}` : ""}.`,
    cause === undefined ? {} : { cause },
  );

export const sessionClosed = (): HalyardError => new HalyardError("CONNECTION_LOST", "The session is closed.");

export const abortedError = (what: string): HalyardError => new HalyardError("ABORTED", `${what} was aborted.`);
