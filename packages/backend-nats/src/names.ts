/**
 * Every name that Halyard makes on a NATS server, in one place. Streams are `{ns}`, `{ns}_inbox` and `{ns}_dead`; the subjects of a stream begin with
 * its name, so the three never overlap and no pattern of a topic can reach an inbox or a dead letter. Topics, groups and namespaces are checked by core
 * and contain none of the characters that join them here (`_` in a namespace, `.` and `+` in a group).
 */
import { HalyardError, isNamespace } from "@halyard/core/spi";

/** Other names for the streams of a namespace. Each function gets the namespace and returns `[A-Za-z0-9_-]{1,64}`; the three must differ. */
export interface NatsNames {
  /** Stream that holds the topics, and first word of their subjects. Default: the namespace. */
  readonly stream?: (namespace: string) => string;
  /** Stream for retries, delays, direct sends and the definitions of groups. Default: `{namespace}_inbox`. */
  readonly inbox?: (namespace: string) => string;
  /** Stream for dead letters. Default: `{namespace}_dead`. */
  readonly dead?: (namespace: string) => string;
  /** Word before the first word of every subject, for permissions: with `"halyard"` the topic `a.b` is `halyard.{namespace}.a.b`. Default: none. */
  readonly subjectPrefix?: string;
}

/** The names of one namespace. */
export interface Topology {
  readonly stream: string;
  readonly inbox: string;
  readonly dead: string;
  /** What subjects of topics begin with, its dot included. */
  readonly topicPrefix: string;
  readonly inboxPrefix: string;
  readonly deadPrefix: string;
}

/** Of streams, and of the word before all subjects. */
export const nameForm = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws INVALID_OPTIONS where a name of the `names` option does not fit */
export function topologyOf(namespace: string, names: NatsNames = {}): Topology {
  if (!isNamespace(namespace)) throw new HalyardError("INVALID_NAMESPACE", "A namespace is 1 to 32 of a-z 0-9 -.");
  const stream = names.stream?.(namespace) ?? namespace;
  const inbox = names.inbox?.(namespace) ?? `${namespace}_inbox`;
  const dead = names.dead?.(namespace) ?? `${namespace}_dead`;
  const all = { stream, inbox, dead };
  for (const [option, name] of Object.entries(all)) {
    if (typeof name !== "string" || !nameForm.test(name))
      throw new HalyardError("INVALID_OPTIONS", `names.${option} must return 1 to 64 of A-Z a-z 0-9 _ - for the namespace ${namespace}.`);
  }
  if (new Set(Object.values(all)).size < 3)
    throw new HalyardError("INVALID_OPTIONS", `names must return three different names for the namespace ${namespace}.`);
  const prefix = names.subjectPrefix === undefined ? "" : `${names.subjectPrefix}.`;
  return { stream, inbox, dead, topicPrefix: `${prefix}${stream}.`, inboxPrefix: `${prefix}${inbox}.`, deadPrefix: `${prefix}${dead}.` };
}

/** The topic `a.b` is published on `{stream}.a.b`. */
export const topicSubject = (topology: Topology, topic: string): string => topology.topicPrefix + topic;

/** What is ready for a group: retries that are due, redrives, hand-backs, direct sends. */
export const readySubject = (topology: Topology, group: string): string => `${topology.inboxPrefix}ready.${group}`;

/** What waits for a group in a class of delays, see `delays.ts`. */
export const waitSubject = (topology: Topology, delayClass: number | "*", group: string): string => `${topology.inboxPrefix}wait.${delayClass}.${group}`;

/** All that waits in one class. */
export const classSubject = (topology: Topology, delayClass: number): string => `${topology.inboxPrefix}wait.${delayClass}.*`;

/** The last message here defines the group: its patterns and the consumers that feed it. */
export const recordSubject = (topology: Topology, group: string): string => `${topology.inboxPrefix}group.${group}`;

/** The last message here is the walk over the group's dead letters that goes on now. */
export const walkSubject = (topology: Topology, group: string): string => `${topology.inboxPrefix}walk.${group}`;

/** The last message here names the active member of an exclusive group. */
export const turnSubject = (topology: Topology, group: string): string => `${topology.inboxPrefix}turn.${group}`;

/**
 * Said among members of a group and kept nowhere, so outside of the streams. `turn`: the active member of an exclusive group has left. `beside`: members
 * that are not exclusive answer here.
 */
export const memberSubject = (settings: { readonly inboxPrefix: string }, topology: Topology, what: "turn" | "beside", group: string): string =>
  `${settings.inboxPrefix}.${topology.inbox}.${what}.${group}`;

/** Said among the sessions of a namespace and kept nowhere, as above: a class of delays has come into use. */
export const classHintSubject = (settings: { readonly inboxPrefix: string }, topology: Topology): string => `${settings.inboxPrefix}.${topology.inbox}.class`;

/** Where a session looks whether messages are stored, and what time it is on the server. */
export const pingSubject = (topology: Topology): string => `${topology.inboxPrefix}ping`;

export const letterSubject = (topology: Topology, group: string): string => topology.deadPrefix + group;

/** The subjects that the three streams store. */
export const streamSubjects = ({ topicPrefix, inboxPrefix, deadPrefix }: Topology): { topics: string[]; inbox: string[]; dead: string[] } => ({
  topics: [`${topicPrefix}>`],
  inbox: [`${inboxPrefix}>`],
  dead: [`${deadPrefix}>`],
});

/** Durable that hands a group its inbox. */
export const inboxDurable = (group: string): string => group;

/** Durables that hand a group its topics: `workers`, and `workers+2`, … where one is not enough. */
export const topicDurable = (group: string, index: number): string => (index === 0 ? group : `${group}+${index + 1}`);

/** Durable that everyone who moves the due messages of a class shares. */
export const classDurable = (delayClass: number): string => `wait+${delayClass}`;

/** The class that a durable of the inbox stream belongs to, if it is one of those. */
export function classOfDurable(durable: string): number | undefined {
  const match = /^wait\+(\d{1,3})$/.exec(durable);
  return match === null ? undefined : Number(match[1]);
}
