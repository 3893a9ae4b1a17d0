/** Errors travel as JSON: code, message, whether to retry, details. Stack and cause stay where they are: they tell about the server's insides. */
import { type ErrorCode, HalyardError, isHalyardError } from "@halyard/core/spi";

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

const codeForm = /^[A-Z][A-Z_]{1,40}$/;
const messageCharactersMax = 4_096;

export function toWireError(error: unknown): WireError {
  if (!isHalyardError(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return { code: "BACKEND_FAILED", message: `The embedded server failed: ${text}`.slice(0, messageCharactersMax), retryable: false };
  }
  const { code, message, retryable, details } = error;
  return Object.keys(details).length === 0 ? { code, message, retryable } : { code, message, retryable, details: plain(details) };
}

export function fromWireError(value: unknown): HalyardError {
  const { code, message, retryable, details } = (typeof value === "object" && value !== null ? value : {}) as Partial<Record<keyof WireError, unknown>>;
  // A code that this version does not know is kept: who made it may act on it.
  const known = typeof code === "string" && codeForm.test(code) ? (code as ErrorCode) : "BACKEND_FAILED";
  const text = typeof message === "string" ? message : "The embedded server reported an error without a text.";
  return new HalyardError(known, text, {
    retryable: retryable === true,
    ...(typeof details === "object" && details !== null ? { details: details as Readonly<Record<string, unknown>> } : {}),
  });
}

/** Details that JSON cannot carry (functions, cycles) must not turn an error into another one. */
function plain(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(details)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
