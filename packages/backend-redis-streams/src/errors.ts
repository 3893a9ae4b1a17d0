/** Redis' errors as Halyard's, translated once. Causes are copies without the command: its arguments hold messages and, for AUTH, passwords. */
import { HalyardError, isHalyardError } from "@halyard/core/spi";

/** The word that Redis' errors begin with, also inside the error of a script (6.2 puts it behind `@user_script`). */
function codeOf(message: string): string {
  const inside = /@user_script:?\s?\d*:\s*-?([A-Z]{3,})\b/.exec(message);
  return inside?.[1] ?? /^-?([A-Z]{3,})\b/.exec(message)?.[1] ?? "";
}

/** Refused before anything was done, and possible again later: no memory, no replica, no disk, busy. */
const noRoom: ReadonlyMap<string, string> = new Map([
  ["OOM", "Redis has reached maxmemory: handle or purge messages, or raise maxmemory"],
  ["NOREPLICAS", "Redis has fewer replicas than min-replicas-to-write asks for"],
  ["MISCONF", "Redis cannot write to its disk and refuses all writes: see stop-writes-on-bgsave-error and its log"],
  ["BUSY", "Redis is busy with a script"],
  ["TRYAGAIN", "the slot of this namespace is on its way to another node"],
]);

/** What a script says that its user may not do: an ERR like any other, told by its words (7.0). */
const deniedInScript = /user executing the script can't (run|access)/;

/** This server is not the one to talk to, or not now: the session ends, and the next one looks again. */
const elsewhere: ReadonlySet<string> = new Set(["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "ASK"]);

/** An error of a reply, of ioredis or of a socket. */
export function fromRedis(error: unknown): HalyardError {
  if (isHalyardError(error)) return error;
  const { message, errno } = partsOf(error);
  const code = codeOf(message);
  const cause = bare(message, errno);
  if (code === "NOAUTH" || code === "WRONGPASS" || /^ERR (invalid password|AUTH .*called without any password)/i.test(message))
    return new HalyardError("AUTH_FAILED", `Redis did not accept the credentials (${code || "ERR"}): check username and password.`, { cause });
  if (code === "NOPERM" || deniedInScript.test(message))
    return new HalyardError("NOT_AUTHORIZED", `The Redis user may not do this (${message}): see the ACL rule in the README.`, { cause });
  const room = noRoom.get(code);
  if (room !== undefined) return new HalyardError("BACKPRESSURE", `${room}.`, { cause, details: { redis: code } });
  if (elsewhere.has(code)) return new HalyardError("CONNECTION_LOST", `This Redis server does not take writes now (${message}).`, { cause });
  if (isConnectionEnd(message, errno)) return new HalyardError("CONNECTION_LOST", `The connection to Redis broke: ${message}.`, { cause });
  return new HalyardError("BACKEND_FAILED", `Redis refused the command: ${message}`, { cause });
}

/** What went wrong while a session was opened. */
export function fromConnecting(error: unknown, where: string): HalyardError {
  if (isHalyardError(error) && error.code !== "CONNECTION_LOST" && error.code !== "BACKEND_FAILED") return error;
  const { message, errno } = partsOf(error);
  if (isDistrust(error)) {
    const text = `The TLS connection to Redis at ${where} was not accepted (${message}): check ca, cert and key on both sides, and that the server speaks TLS.`;
    return new HalyardError("TLS_FAILED", text, { cause: bare(message, errno) });
  }
  const translated = fromRedis(error);
  if (translated.code === "AUTH_FAILED" || translated.code === "NOT_AUTHORIZED") return translated;
  return new HalyardError("CONNECT_FAILED", `Redis at ${where} cannot be reached: ${message}.`, { cause: bare(message, errno) });
}

/** TLS did not come about: a certificate was not accepted, by us or by the server, or somebody does not speak it. */
export function isDistrust(error: unknown): boolean {
  const { message, errno } = partsOf(error);
  return tlsCodes.test(errno ?? "") || /wrong version number|certificate|alert (unknown ca|handshake)/i.test(message);
}

/** The other side hung up without a word. */
export const isReset = (error: unknown): boolean => /^(ECONNRESET|EPIPE)$/.test(partsOf(error).errno ?? "");

/** After these nobody can say more on this connection. */
export function endsSession(error: HalyardError): boolean {
  return error.code === "CONNECTION_LOST" || error.code === "AUTH_FAILED";
}

export const isNoScript = (error: unknown): boolean => partsOf(error).message.startsWith("NOSCRIPT");

/** The consumer group or its stream is not there. */
export const isNoGroup = (error: unknown): boolean => /NOGROUP|UNBLOCKED/.test(partsOf(error).message);

/** `MOVED slot host:port`; a cluster that does not know its own name leaves the host empty. */
export function movedTo(error: unknown): { readonly host: string | undefined; readonly port: number } | undefined {
  const found = /^MOVED \d+ (.*):(\d+)/.exec(partsOf(error).message);
  return found === null ? undefined : { host: found[1] === "" ? undefined : found[1], port: Number(found[2]) };
}

/** Codes of Node and OpenSSL that mean a certificate was not accepted, by us or by the server. */
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|CRL_)/;

function isConnectionEnd(message: string, errno: string | undefined): boolean {
  return (
    errno !== undefined ||
    /^(Connection is closed|Command timed out|Command aborted|Stream isn't writeable|Reached the max retries|Socket|connect )/i.test(message)
  );
}

function partsOf(error: unknown): { readonly message: string; readonly errno: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), errno: undefined };
  const { code } = error as NodeJS.ErrnoException;
  return { message: error.message.trim().replace(/[.]$/, ""), errno: typeof code === "string" && !isHalyardError(error) ? code : undefined };
}

function bare(message: string, errno: string | undefined): Error {
  const cause = new Error(message);
  cause.name = "RedisError";
  return errno === undefined ? cause : Object.assign(cause, { code: errno });
}
