/** The permissions of the README, word by word; the suites run under them. */
import { readFileSync } from "node:fs";

export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** `namespace` is a regular expression, instead of the README's `shop`. */
export function leastPrivileges(namespace: string): Permissions {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, configure, write, read] = /^rabbitmqctl set_permissions -p \/ shop-user '(.*)' '(.*)' '(.*)'$/m.exec(readme) ?? [];
  if (configure === undefined || write === undefined || read === undefined) throw new Error("The README has no permissions.");
  const of = (pattern: string): string => pattern.replaceAll("shop", namespace);
  return { configure: of(configure), write: of(write), read: of(read) };
}
