/**
 * Names of keys and channels. All keys of a namespace begin with `{namespace}:`, braces included: Redis Cluster hashes what stands between them, so
 * a namespace lies in one slot, and one script may touch all of it.
 */
import { HalyardError } from "@halyard/core/spi";

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
];

/** @throws INVALID_OPTIONS */
export function namesOf(given: Partial<Names>): Names {
  const names = { ...namesDefault, ...given };
  const entries = Object.entries(names);
  for (const [name, part] of entries) {
    if (!(name in namesDefault)) throw invalid(name, `is not a name: use ${Object.keys(namesDefault).join(", ")}`);
    if (typeof part !== "string" || !/^[A-Za-z0-9_.:/-]{1,64}$/.test(part)) throw invalid(name, "may hold A-Z a-z 0-9 _ . : / - only, 64 characters at most");
  }
  const parts = [...entries.filter(([name]) => name !== "consumerGroup").map(([, part]) => part), ...fixed];
  for (const [index, part] of parts.entries()) {
    const other = parts.find((one, at) => at !== index && one.startsWith(part) && index < entries.length - 1);
    if (other !== undefined) throw invalid("names", `"${part}" is how "${other}" begins: keys could meet`);
  }
  return names;
}

/** What every key and channel of a namespace begins with. */
export const keyRoot = (keyPrefix: string, namespace: string): string => `${keyPrefix}{${namespace}}:`;

const invalid = (name: string, text: string): HalyardError =>
  new HalyardError("INVALID_OPTIONS", `names.${name} ${text}.`, { details: { option: `names.${name}` } });
