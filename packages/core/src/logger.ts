import { HalyardError } from "./errors.ts";

/**
 * What a bus writes its log to: the shape of pino, so that a pino logger can be passed as it is. Details are plain, JSON-safe data; names and texts
 * from outside only ever stand in details or in quotes, so nobody can forge a line. Without a logger nothing is written.
 */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
  /** A logger that adds `bindings` to the details of every line. */
  child?(bindings: object): Logger;
}

const write = (): void => {};

/** The default: writes nothing. */
export const silentLogger: Logger = { debug: write, info: write, warn: write, error: write, child: () => silentLogger };

const levels = ["debug", "info", "warn", "error"] as const;

/** @throws INVALID_OPTIONS */
export function assertLogger(logger: Logger): void {
  const missing = typeof logger === "object" || typeof logger === "function" ? levels.filter((level) => typeof logger?.[level] !== "function") : levels;
  if (missing.length > 0)
    throw new HalyardError("INVALID_OPTIONS", `logger must have debug, info, warn and error, as pino and console have; missing: ${missing.join(", ")}.`);
}

/** `logger.child` where there is one, otherwise a wrapper that does the same. */
export function childLogger(logger: Logger, bindings: object): Logger {
  if (logger.child !== undefined) return logger.child(bindings);
  return {
    debug: (details, message) => logger.debug({ ...bindings, ...details }, message),
    info: (details, message) => logger.info({ ...bindings, ...details }, message),
    warn: (details, message) => logger.warn({ ...bindings, ...details }, message),
    error: (details, message) => logger.error({ ...bindings, ...details }, message),
    child: (more) => childLogger(logger, { ...bindings, ...more }),
  };
}

/** A logger that throws (a full disk, a closed stream) must not stop messages: its failures end here, for there is nowhere left to report them. */
export function containedLogger(logger: Logger): Logger {
  if (logger === silentLogger) return logger;
  const contained =
    (level: (typeof levels)[number]) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // As said above.
      }
    };
  return {
    debug: contained("debug"),
    info: contained("info"),
    warn: contained("warn"),
    error: contained("error"),
    child: (bindings) => containedLogger(childLogger(logger, bindings)),
  };
}

/** Depth of `cause` that a log line shows. */
const causesMax = 4;

/** An error as plain JSON-safe data for log details; anything may be thrown, so anything is taken. */
export function loggableError(error: unknown): LoggableError {
  const list: unknown[] = [];
  for (let current: unknown = error; list.length < causesMax && current !== undefined; current = current instanceof Error ? current.cause : undefined) {
    list.push(current);
  }
  const [first, ...causes] = list;
  const causedBy = causes.map((cause) => (cause instanceof Error ? `${cause.name}: ${cause.message}` : plain(cause)));
  if (!(first instanceof Error)) return { name: typeof first, message: plain(first) };
  return {
    name: first.name,
    message: first.message,
    ...("code" in first && typeof first.code === "string" ? { code: first.code } : {}),
    ...(first.stack === undefined ? {} : { stack: first.stack }),
    ...(causedBy.length === 0 ? {} : { causedBy }),
  };
}

/** Objects without a prototype have no text and make `String` throw. */
function plain(value: unknown): string {
  return typeof value === "object" ? Object.prototype.toString.call(value) : String(value);
}

export interface LoggableError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** The chain of causes, one line each. */
  readonly causedBy?: readonly string[];
}
