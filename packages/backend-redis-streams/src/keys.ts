/**
 * Names of keys and channels. All keys of a namespace begin with `{namespace}:`, braces included: Redis Cluster hashes what stands between them, so
 * a namespace lies in one slot, and one script may touch all of it.
 */
import { invalidOption, type OptionRules, text } from "@halyard/core/spi";

/** The parts of names that an operator may want to choose. Each stands behind `{namespace}:` and before the name of a group or topic. */
export interface Names {
  /** Stream of a group. Default `group:`. */
  readonly group: string;
  /** Stream of a group's dead letters. Default `dead:`. */
  readonly dead: string;
  /** Sorted set of a group's waiting retries, by the time they are due. Default `delayed:`. */
  readonly delayed: string;
  /** Stream of a topic, where history is kept. Default `topic:`. */
  readonly topic: string;
  /** Channel of a topic's live copies. Default `live:`. */
  readonly live: string;
  /** Name of the consumer group on each group's stream. Default `halyard`. */
  readonly consumerGroup: string;
}

export const namesDefault: Names = { group: "group:", dead: "dead:", delayed: "delayed:", topic: "topic:", live: "live:", consumerGroup: "halyard" };

/** Keys that have no name of a user in them, and must not be met by one that has. */
const fixed: readonly string[] = [
  "groups",
  "epochs",
  "routes",
  "members",
  "idle",
  "due",
  "ids:",
  "walk:",
  "exclusive:",
  "turns",
  "removed:",
  "topics",
  "last",
  "bell",
  "swept",
  "ping",
  "fills",
];

const part = text(/^[A-Za-z0-9_.:/-]{1,64}$/, "may hold A-Z a-z 0-9 _ . : / - only, 64 characters at most");
export const nameRules: OptionRules<Partial<Names>> = { group: part, dead: part, delayed: part, topic: part, live: part, consumerGroup: part };

/** Checked by `nameRules` before. @throws INVALID_OPTIONS where keys could meet */
export function namesOf(given: Partial<Names>): Names {
  const names = { ...namesDefault, ...given };
  const { consumerGroup, ...starts } = names;
  const chosen = Object.values(starts);
  const parts = [...chosen, ...fixed];
  for (const [index, one] of parts.entries()) {
    const other = parts.find((each, at) => at !== index && each.startsWith(one) && index < chosen.length);
    if (other !== undefined) throw invalidOption("names", `"${one}" is how "${other}" begins: keys could meet`);
  }
  return names;
}

/** What every key and channel of a namespace begins with. */
export const keyRoot = (keyPrefix: string, namespace: string): string => `${keyPrefix}{${namespace}}:`;
