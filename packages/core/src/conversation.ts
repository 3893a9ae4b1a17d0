/** What a handler publishes belongs to the conversation, and to the trace, of the message that it handles. */
import type { PublishOptions } from "./envelope.ts";
import { noHeaders } from "./message.ts";
import type { WireMessage } from "./spi/message.ts";

/** W3C Trace Context, https://www.w3.org/TR/trace-context/: who traces sets them on the first message, and they follow from there. */
const traceHeaders = ["traceparent", "tracestate"] as const;

/** The options of a publish that `cause` led to: what the handler says itself has precedence. */
export function inConversation(cause: WireMessage, options: PublishOptions | undefined): PublishOptions {
  const conversation = { correlationId: cause.correlationId ?? cause.id, causationId: cause.id };
  const trace = traceOf(cause, options);
  return trace === undefined ? { ...conversation, ...options } : { ...conversation, ...options, headers: { ...trace, ...options?.headers } };
}

/** A trace is passed on whole or not at all: the state of one parent says nothing beside another. */
function traceOf({ headers }: WireMessage, options: PublishOptions | undefined): Readonly<Record<string, string>> | undefined {
  if (headers === noHeaders || headers.traceparent === undefined || options?.headers?.traceparent !== undefined) return undefined;
  const trace: Record<string, string> = {};
  for (const name of traceHeaders) {
    const value = headers[name];
    if (value !== undefined) trace[name] = value;
  }
  return trace;
}
