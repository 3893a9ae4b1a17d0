/** The ACL rule of the README, word by word; the suites run under it. */
import { readFileSync } from "node:fs";

export function leastPrivileges(keyPrefix: string): string {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const rule = /^ACL SETUSER halyard on >secret (.*)$/m.exec(readme)?.[1];
  if (rule === undefined) throw new Error("The README has no rule");
  return rule.replaceAll("{shop}:", keyPrefix);
}
