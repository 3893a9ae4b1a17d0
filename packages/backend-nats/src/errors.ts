/** From errors of the server and its client to Halyard's, once. Nothing here ever shows a password: servers are named by host and port only. */
import { HalyardError, isHalyardError } from "@halyard/core/spi";
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors, type PermissionViolationError } from "@nats-io/transport-node";

/** Codes of the JetStream API that are acted upon. https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export const apiCodes = {
  consumerNotFound: 10014,
  insufficientResources: 10023,
  messageNotFound: 10037,
  sequenceNotFound: 10043,
  streamNotFound: 10059,
  streamNameInUse: 10058,
  wrongLastSequence: 10071,
  storageExceeded: 10047,
  memoryExceeded: 10028,
  messageTooLarge: 10054,
  maximumMessages: 10077,
} as const;

/** What the server says in the answer to a request or a publish. */
export interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** @returns a retryable error where the session may live on, an error that ends trying otherwise */
export function fromConnect(thrown: unknown, where: string): HalyardError {
  if (isHalyardError(thrown)) return thrown;
  const error = asError(thrown);
  const text = `${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`;
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError || /authorization violation/i.test(text))
    return new HalyardError("AUTH_FAILED", `The NATS server at ${where} refused the credentials: check user, token, key or credentials file.`, {
      cause: error,
    });
  if (error instanceof errors.PermissionViolationError) return fromPermission(error);
  const code = codeOf(error) ?? codeOf(error.cause) ?? "";
  if (isTlsCode(code) || /certificate|self.signed|alert|ssl|tls/i.test(text))
    return new HalyardError("TLS_FAILED", `No trust between us and the NATS server at ${where}: ${error.message}. Check tls.ca, tls.cert and tls.key.`, {
      cause: error,
    });
  return new HalyardError("CONNECT_FAILED", `The NATS server at ${where} cannot be reached: ${error.message}.`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function isTlsCode(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|EPROTO)/.test(code);
}

export function fromPermission(error: PermissionViolationError): HalyardError {
  const verb = error.operation === "subscription" ? "subscribe to" : "publish on";
  return new HalyardError("NOT_AUTHORIZED", `This user may not ${verb} ${error.subject}: grant it on the NATS server (see the README of this backend).`, {
    cause: error,
    details: { operation: error.operation, subject: error.subject },
  });
}

/** What went wrong with a request to the API. `what` begins the message. */
export function fromRequest(thrown: unknown, what: string): HalyardError {
  if (isHalyardError(thrown)) return thrown;
  const error = asError(thrown);
  const inner = error.cause instanceof Error ? error.cause : error;
  if (inner instanceof errors.PermissionViolationError) return fromPermission(inner);
  if (
    inner instanceof errors.ClosedConnectionError ||
    inner instanceof errors.DrainingConnectionError ||
    /connection (closed|disconnected)/i.test(inner.message)
  )
    return new HalyardError("CONNECTION_LOST", `${what}: the connection to the NATS server has ended.`, { cause: error });
  if (inner instanceof errors.NoRespondersError || error.name === "JetStreamNotEnabled" || inner.name === "JetStreamNotEnabled")
    return new HalyardError("CONNECT_FAILED", `${what}: JetStream does not answer. It is starting, has no leader now, or is not enabled (nats-server -js).`, {
      cause: error,
    });
  if (inner instanceof errors.TimeoutError || /timeout/i.test(inner.message))
    return new HalyardError("TIMEOUT", `${what}: no answer in time.`, { cause: error });
  if (error instanceof JetStreamApiError) return fromApi({ code: error.status, err_code: error.code, description: error.message }, what, error);
  return new HalyardError("BACKEND_FAILED", `${what}: ${error.message}`, { cause: error });
}

/** What an error in an answer means. Without room nothing was stored, and trying again can help. */
export function fromApi(error: ApiError, what: string, cause?: unknown): HalyardError {
  const description = error.description ?? `error ${error.err_code ?? error.code}`;
  const options = { cause, details: { code: error.code, errorCode: error.err_code } };
  if (isWantOfRoom(error)) return new HalyardError("BACKPRESSURE", `${what}: the NATS server has no room: ${description}.`, options);
  if (error.err_code === apiCodes.messageTooLarge)
    return new HalyardError("PAYLOAD_TOO_LARGE", `${what}: ${description} (max_msg_size of the stream).`, options);
  if (error.code === 503) return new HalyardError("CONNECT_FAILED", `${what}: ${description}.`, options);
  return new HalyardError("BACKEND_FAILED", `${what}: ${description}.`, options);
}

function isWantOfRoom({ err_code: code, description = "" }: ApiError): boolean {
  if (code === apiCodes.insufficientResources || code === apiCodes.storageExceeded || code === apiCodes.memoryExceeded || code === apiCodes.maximumMessages)
    return true;
  return /maximum (messages|bytes)|insufficient (resources|storage)|no space|exceed/i.test(description);
}

export const isApiCode = (thrown: unknown, code: number): boolean => thrown instanceof JetStreamApiError && thrown.code === code;

/** Nobody listens on the subject of a request. */
export const isNoResponders = (thrown: unknown): boolean =>
  thrown instanceof errors.NoRespondersError || (thrown instanceof Error && thrown.cause instanceof errors.NoRespondersError);

export const lost = (cause?: unknown): HalyardError =>
  new HalyardError("CONNECTION_LOST", "The connection to the NATS server has ended.", cause === undefined ? {} : { cause });

export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
