/** `bus.groups`: groups as the broker has them, and the rule that all members of one bus state the same of their group. */
import { HalyardError } from "./errors.ts";
import { assertKnownOptions } from "./known-options.ts";
import { parsePattern } from "./pattern.ts";
import type { Session } from "./spi/backend.ts";
import type { GroupInfo } from "./spi/control.ts";
import { assertGroupName } from "./topic.ts";

export interface Groups {
  /** Makes sure that the group exists, then adds and drops patterns. Its members' own patterns count for them only after they subscribe again. */
  define(name: string, change: { readonly add?: readonly string[]; readonly drop?: readonly string[] }): Promise<void>;
  /** `undefined` where the broker does not say. */
  list(): Promise<readonly GroupInfo[] | undefined>;
  get(name: string): Promise<GroupInfo | undefined>;
  /** With its inbox and waiting retries; dead letters stay; its members end with `GROUP_REMOVED`. */
  remove(name: string): Promise<void>;
  /** Removes what waits, not what is in flight or delayed; returns how many, where the broker says. */
  purge(name: string): Promise<number | undefined>;
}

const changeNames: ReadonlySet<string> = new Set(["add", "drop"]);

export type ControlCall = <Value>(what: string, run: (session: Session, signal: AbortSignal) => Promise<Value>) => Promise<Value>;

export function groupsOf(call: ControlCall, definitions: GroupDefinitions): Groups {
  return {
    async define(name, patterns) {
      assertGroupName(name);
      assertKnownOptions("groups.define", patterns, changeNames);
      const { add = [], drop = [] } = patterns;
      if (!Array.isArray(add) || !Array.isArray(drop)) throw new HalyardError("INVALID_OPTIONS", "groups.define: add and drop are lists of patterns.");
      const change = { add: add.map(parsePattern), drop: drop.map(parsePattern) };
      await call(`Defining group ${name}`, ({ admin }, signal) => admin.defineGroup(name, change, signal));
    },
    list: () => call("Listing groups", ({ admin }, signal) => admin.groups(signal)),
    async get(name) {
      assertGroupName(name);
      return call(`Reading group ${name}`, ({ admin }, signal) => admin.group(name, signal));
    },
    async remove(name) {
      assertGroupName(name);
      await call(`Removing group ${name}`, ({ admin }, signal) => admin.removeGroup(name, signal));
      definitions.forget(name);
    },
    async purge(name) {
      assertGroupName(name);
      return call(`Purging group ${name}`, ({ admin }, signal) => admin.purgeGroup(name, signal));
    },
  };
}

/** What this bus's living members state for each group: the same patterns, and the same wish for one active member. */
export class GroupDefinitions {
  readonly #groups = new Map<string, Definition>();

  /** @throws GROUP_CONFLICT */
  join(group: string, patterns: readonly string[], exclusive: boolean): void {
    const stated = [...new Set(patterns)].sort().join(" ");
    const known = this.#groups.get(group);
    if (known === undefined) {
      this.#groups.set(group, { patterns: stated, exclusive, members: 1 });
      return;
    }
    if (known.patterns !== stated) throw differentPatterns(group, known.patterns, stated);
    if (known.exclusive !== exclusive) throw differentWish(group, exclusive);
    known.members++;
  }

  leave(group: string): void {
    const known = this.#groups.get(group);
    if (known === undefined) return;
    known.members--;
    if (known.members === 0) this.#groups.delete(group);
  }

  forget(group: string): void {
    this.#groups.delete(group);
  }
}

interface Definition {
  readonly patterns: string;
  readonly exclusive: boolean;
  members: number;
}

function differentPatterns(group: string, known: string, stated: string): HalyardError {
  const text = `Group ${group} has the patterns "${known}" on this bus, not "${stated}". A group is one name and one set of patterns: use the same set, or another group.`;
  return new HalyardError("GROUP_CONFLICT", text, { details: { group, known: known.split(" "), stated: stated.split(" ") } });
}

function differentWish(group: string, exclusive: boolean): HalyardError {
  const [theirs, ours] = exclusive ? ["without", "with"] : ["with", "without"];
  const text = `Group ${group} has members ${theirs} exclusive on this bus, and this one is ${ours} it. It would compete beside them: say the same for all, or close those first, or use another group.`;
  return new HalyardError("GROUP_CONFLICT", text, { details: { group, known: { exclusive: !exclusive }, stated: { exclusive } } });
}
