import { isGroupName, parsePattern, type SubscribeRequest, type TopicPattern } from "@halyard/core/spi";
import { record } from "./greeting.ts";
import { violation } from "./violation.ts";

/** A subscription never asks for more than this; what the server reserves for it grows as it is used. */
export const inFlightMaxMax = 1_048_576;
const patternsMax = 10_000;

/** As JSON can carry it. */
export function toJson(subscription: number, request: SubscribeRequest): unknown {
  const { patterns, inFlightMax, group } = request;
  return { subscription, patterns: patterns.map((pattern) => pattern.text), inFlightMax: Math.min(inFlightMax, inFlightMaxMax), group };
}

/** @throws PROTOCOL_ERROR, INVALID_PATTERN */
export function fromJson(value: unknown): { readonly subscription: number; readonly request: SubscribeRequest } {
  const { subscription, patterns, inFlightMax, group } = record(value);
  if (!isCount(subscription, 2 ** 32 - 1)) throw violation("a subscription without a number");
  if (!isCount(inFlightMax, inFlightMaxMax) || inFlightMax < 1) throw violation("an inFlightMax out of range");
  const request = { patterns: patternsOf(patterns), inFlightMax };
  return { subscription, request: group === undefined ? request : { ...request, group: groupOf(record(group)) } };
}

/** @throws PROTOCOL_ERROR, INVALID_PATTERN */
export function patternsOf(value: unknown): TopicPattern[] {
  if (!Array.isArray(value) || value.length > patternsMax) throw violation("patterns that are no list, or too many");
  return value.map((text: unknown) => parsePattern(typeof text === "string" ? text : ""));
}

function groupOf(group: Readonly<Record<string, unknown>>): SubscribeRequest["group"] {
  const { name, from, exclusive, idleExpiryMs } = group;
  if (typeof name !== "string" || !isGroupName(name)) throw violation("a group name outside the grammar");
  if (idleExpiryMs !== undefined && !(typeof idleExpiryMs === "number" && idleExpiryMs >= 0)) throw violation("an idleExpiryMs that is no number");
  return { name, from: fromOf(from), exclusive: exclusive === true, idleExpiryMs };
}

export function fromOf(from: unknown): "new" | "earliest" | { readonly timeMs: number } {
  if (from === "new" || from === "earliest") return from;
  const { timeMs } = record(from);
  if (typeof timeMs !== "number") throw violation("a start that is neither new, earliest nor a time");
  return { timeMs };
}

export function isCount(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}
