/** What a user of a bus needs: the lists of the README, word by word; the suites run under the first one. */
import { readFileSync } from "node:fs";

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** `place`: the first (with a prefix for all namespaces) or second (exact, for the namespace `shop`) list of the README. */
function listOf(place: number): Permissions {
  const lists = (name: string): readonly (readonly string[])[] =>
    [...readme.matchAll(new RegExp(`^ *${name}: \\[([^\\]]*)\\]$`, "gm"))].map(([, inside = ""]) =>
      [...inside.matchAll(/"([^"]+)"/g)].map(([, subject = ""]) => subject),
    );
  const [publish, subscribe] = [lists("publish")[place], lists("subscribe")[place]];
  if (publish === undefined || subscribe === undefined) throw new Error("The README has no such list of permissions");
  return { publish, subscribe };
}

export function leastPrivileges(subjectPrefix: string, inboxPrefix: string): Permissions {
  const named = (subjects: readonly string[]): readonly string[] =>
    subjects.map((subject) => subject.replace(/^halyard\./, `${subjectPrefix}.`).replace(/^_INBOX_halyard\./, `${inboxPrefix}.`));
  const { publish, subscribe } = listOf(0);
  return { publish: named(publish), subscribe: named(subscribe) };
}

/** For the namespace `shop` with `inboxPrefix: "_INBOX_halyard"`, on streams that an operator has made or that it makes itself. */
export const exactPrivileges = (): Permissions => listOf(1);
