/**
 * Headers of users in the header table of AMQP. The table takes any name and many types, and the broker writes into it as well, so three things are
 * done here: names that broker or client would swallow travel under another, foreign types become text, and what is foreign stays within bounds.
 */
import { noHeaders } from "@halyard/core/spi";

/** Before names that the broker writes itself, or that JavaScript takes for something else. */
const escapePrefix = "halyard-header-";

/** Written by the broker when it delivers, dead-letters or routes a message; `cc` is `CC` in lower case, and no header of ours. */
const brokers = /^(x-(delivery-count|acquired-count|death|first-death-.*|last-death-.*|stream-.*|opt-.*|original-.*)|timestamp_in_ms|__proto__)$/;

export function writtenName(name: string): string {
  return mayMeet(name) && brokers.test(name) ? escapePrefix + name : name;
}

/** Whether the name may be one of the broker's: most begin with something else, and the expression costs more than this. */
function mayMeet(name: string): boolean {
  const first = name.charCodeAt(0);
  return first === 120 || first === 116 || first === 95;
}

/** Headers of the broker's own, which are no headers of the message. */
export const isReserved = (name: string): boolean => brokers.test(name);

/** A header's value; never one that the object inherits. */
export function headerOf(headers: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(headers, name) ? headers[name] : undefined;
}

const nameForm = /^[a-z0-9_-]{1,64}$/;

/** What core lets through takes 33 KiB. Foreign headers beyond are dropped: amqplib could not write them into a copy, which could then never be stored. */
const bytesMax = 40 * 1024;

/** `isOwn`: names that are fields of the message. */
export function readHeaders(raw: Readonly<Record<string, unknown>>, isOwn: (name: string) => boolean): Readonly<Record<string, string>> {
  let headers: Record<string, string> | undefined;
  let bytes = 0;
  for (const written of Object.keys(raw)) {
    if (isOwn(written)) continue;
    const name = written.startsWith(escapePrefix) ? written.slice(escapePrefix.length) : written.toLowerCase();
    const value = asText(raw[written]);
    if (value === undefined || !nameForm.test(name)) continue;
    bytes += name.length + Buffer.byteLength(value);
    if (bytes > bytesMax) break;
    headers ??= Object.create(null) as Record<string, string>;
    headers[name] = value;
  }
  return headers ?? noHeaders;
}

/** Tables, lists and bytes have no text that anybody would expect: they are left out. */
function asText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  return undefined;
}
