import { parsePattern } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { subjectsOf } from "../src/history.ts";

const subjects = (hasManyFilters: boolean, ...patterns: readonly string[]): readonly string[] => subjectsOf(patterns.map(parsePattern), hasManyFilters);

describe("a reader of the history asks for", () => {
  it("one filter, or all where it would need several, before 2.10", () => {
    expect(subjects(false, "a.*")).toEqual(["a.*"]);
    expect(subjects(false, "a.#")).toEqual([">"]);
    expect(subjects(false, "a.*", "a.b")).toEqual(["a.*"]);
  });

  it("several filters from 2.10 on, unless they overlap, which the server refuses", () => {
    expect(subjects(true, "a.#", "b")).toEqual(["a", "a.>", "b"]);
    expect(subjects(true, "a.*", "*.b")).toEqual([">"]);
    expect(subjects(true, "a.#", "*.b.c")).toEqual([">"]);
  });
});
