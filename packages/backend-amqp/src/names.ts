/**
 * The names of everything that a namespace has on the broker. Words are joined by dots, which namespaces and groups cannot contain, so no two
 * of them can meet. Each name can be overridden where a company has rules for names.
 */
import { functionOf, invalidOption, type OptionRules } from "@halyard/core/spi";

/** Makes the names of one namespace. Missing functions keep the default. */
export interface AmqpNames {
  /** Topic exchange that messages are published to. Default `{namespace}`. */
  readonly exchange: (namespace: string) => string;
  /** Queue of a group, its inbox included. Default `{namespace}.group.{group}`. */
  readonly group: (namespace: string, group: string) => string;
  /** Dead letters of a group. Default `{namespace}.dead.{group}`. */
  readonly dead: (namespace: string, group: string) => string;
  /** Topic exchange that delayed copies are published to. Default `{namespace}.wait`. */
  readonly wait: (namespace: string) => string;
  /** Queue in which copies wait for `delayMs`. Default `{namespace}.wait.{delayMs}`. */
  readonly waitQueue: (namespace: string, delayMs: number) => string;
  /** Topic exchange that hands copies to their group when their wait is over. Default `{namespace}.due`. */
  readonly due: (namespace: string) => string;
  /** Exchange and queue that swallow what waited for a group that was removed meanwhile. Default `{namespace}.gone`. */
  readonly gone: (namespace: string) => string;
  /** Queue of one live subscription; `unique` differs for each. Default `{namespace}.live.{unique}`. */
  readonly live: (namespace: string, unique: string) => string;
  /** Queue whose single active consumer is the active member of an exclusive group. Default `{namespace}.exclusive.{group}`. */
  readonly exclusive: (namespace: string, group: string) => string;
  /** Queue that is held while somebody walks the dead letters of a group. Default `{namespace}.walk.{group}`. */
  readonly walk: (namespace: string, group: string) => string;
  /** Queue whose one message says how many letters such a walk holds. Default `{namespace}.held.{group}`. */
  readonly held: (namespace: string, group: string) => string;
  /** Queue whose messages count how often a group was removed on purpose, for an hour after the last use. Default `{namespace}.removed.{group}`. */
  readonly removed: (namespace: string, group: string) => string;
  /** Stream of all published messages, with `history` only. Default `{namespace}.history`. */
  readonly history: (namespace: string) => string;
}

export const namesDefault: AmqpNames = {
  exchange: (namespace) => namespace,
  group: (namespace, group) => `${namespace}.group.${group}`,
  dead: (namespace, group) => `${namespace}.dead.${group}`,
  wait: (namespace) => `${namespace}.wait`,
  waitQueue: (namespace, delayMs) => `${namespace}.wait.${delayMs}`,
  due: (namespace) => `${namespace}.due`,
  gone: (namespace) => `${namespace}.gone`,
  live: (namespace, unique) => `${namespace}.live.${unique}`,
  exclusive: (namespace, group) => `${namespace}.exclusive.${group}`,
  walk: (namespace, group) => `${namespace}.walk.${group}`,
  held: (namespace, group) => `${namespace}.held.${group}`,
  removed: (namespace, group) => `${namespace}.removed.${group}`,
  history: (namespace) => `${namespace}.history`,
};

const maker = functionOf<(namespace: string) => string>("a function that makes a name");
/** What the functions make is checked by `namesOf`. */
export const nameRules: OptionRules<Partial<AmqpNames>> = {
  exchange: maker,
  group: maker,
  dead: maker,
  wait: maker,
  waitQueue: maker,
  due: maker,
  gone: maker,
  live: maker,
  exclusive: maker,
  walk: maker,
  held: maker,
  removed: maker,
  history: maker,
};

/** The names of one namespace, checked. */
export interface NamespaceNames {
  readonly exchange: string;
  readonly wait: string;
  readonly due: string;
  readonly gone: string;
  readonly history: string;
  group(group: string): string;
  dead(group: string): string;
  waitQueue(delayMs: number): string;
  live(unique: string): string;
  exclusive(group: string): string;
  walk(group: string): string;
  held(group: string): string;
  removed(group: string): string;
}

/** @throws INVALID_OPTIONS where an overridden function makes a name that the broker refuses */
export function namesOf(names: AmqpNames, namespace: string): NamespaceNames {
  return {
    exchange: checked("exchange", names.exchange(namespace)),
    wait: checked("wait", names.wait(namespace)),
    due: checked("due", names.due(namespace)),
    gone: checked("gone", names.gone(namespace)),
    history: checked("history", names.history(namespace)),
    group: (group) => checked("group", names.group(namespace, group)),
    dead: (group) => checked("dead", names.dead(namespace, group)),
    waitQueue: (delayMs) => checked("waitQueue", names.waitQueue(namespace, delayMs)),
    live: (unique) => checked("live", names.live(namespace, unique)),
    exclusive: (group) => checked("exclusive", names.exclusive(namespace, group)),
    walk: (group) => checked("walk", names.walk(namespace, group)),
    held: (group) => checked("held", names.held(namespace, group)),
    removed: (group) => checked("removed", names.removed(namespace, group)),
  };
}

/** AMQP's short strings. A longer name makes amqplib throw in the middle of a request, and the channel then never answers again. */
const nameBytesMax = 255;

/** Checked before use: the broker answers a bad name by closing the channel. */
function checked(what: string, name: unknown): string {
  if (typeof name === "string" && name !== "" && !name.startsWith("amq.") && Buffer.byteLength(name) <= nameBytesMax && /^[^\p{Cc}]+$/u.test(name)) return name;
  const rule = `a name takes 1 to ${nameBytesMax} bytes, has no control characters and does not begin with "amq."`;
  throw invalidOption(`names.${what}`, `made ${JSON.stringify(name)}: ${rule}`);
}
