import { isHalyardError } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { keyRoot, namesDefault } from "../src/keys.ts";
import { sourceOf } from "../src/live.ts";
import { settingsOf } from "../src/options.ts";

it("puts the namespace between the braces that Redis Cluster hashes", () => {
  expect(keyRoot("app:", "shop")).toBe("app:{shop}:");
});

it("takes other names, and refuses those that could meet or break a script", () => {
  expect(settingsOf({ names: { group: "queue:" } }).names).toEqual({ ...namesDefault, group: "queue:" });
  const refused: readonly object[] = [
    { group: "" },
    { group: "a'b" },
    { group: "{x}" },
    { dead: "group:" },
    { dead: "group:dead:" },
    { topic: "ids:" },
    { live: "swept" },
    { nothing: "x" },
  ];
  for (const names of refused)
    expect(() => settingsOf({ names }), JSON.stringify(names)).toThrow(expect.toSatisfy((error) => isHalyardError(error, "INVALID_OPTIONS")));
});

it("listens to the narrowest channel that has all topics of a pattern", () => {
  const cases: readonly (readonly [pattern: string, channel: string, covered: string, missed: string | undefined])[] = [
    ["a.b", "live:a.b", "a.b", "a.c"],
    ["a.*", "live:a.#", "a.c", "ab.c"],
    ["a.#", "live:a.#", "a", "b"],
    ["#.b", "live:#", "x.b", undefined],
    ["*", "live:#", "x", undefined],
  ];
  for (const [pattern, channel, covered, missed] of cases) {
    const source = sourceOf(pattern, "live:");
    expect(source.name).toBe(channel);
    expect(source.covers(covered)).toBe(true);
    if (missed !== undefined) expect(source.covers(missed)).toBe(false);
  }
});
