import { parsePattern } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { takes } from "../src/filters.ts";
import {
  activePatterns,
  addPatterns,
  checkOf,
  dropPatterns,
  durableOf,
  emptyRecord,
  formatRecord,
  type GroupRecord,
  idleSources,
  isExact,
  parseRecord,
  rewound,
  sourcesMax,
} from "../src/group-record.ts";

const define = (texts: readonly string[], options: { hasManyFilters?: boolean; lastSequence?: number; record?: GroupRecord } = {}): GroupRecord =>
  addPatterns(options.record ?? emptyRecord("one"), texts.map(parsePattern), {
    hasManyFilters: options.hasManyFilters ?? false,
    lastSequence: options.lastSequence ?? 0,
  });

const filtersOf = (record: GroupRecord): readonly (readonly string[])[] => record.sources.map(({ filters }) => filters);

/** By how many sources a message of this topic and sequence is handed over as the group's own. */
function arrivals(record: GroupRecord, topic: string, sequence: number): number {
  return record.sources.filter((source) => {
    const isDelivered = sequence > source.since && source.filters.some((filter) => takes(filter.split("."), topic.split(".")));
    return isDelivered && (checkOf(record, source)?.(topic, sequence) ?? true);
  }).length;
}

describe("the record of a group", () => {
  it("has a source for each filter before 2.10, and one for all from then on", () => {
    expect(filtersOf(define(["a.#", "b"]))).toEqual([["a"], ["a.>"], ["b"]]);
    expect(filtersOf(define(["a.#", "b"], { hasManyFilters: true }))).toEqual([["a", "a.>", "b"]]);
  });

  it("keeps filters that overlap in different consumers, which is what a server asks for", () => {
    expect(filtersOf(define(["a.*", "*.b", "c"], { hasManyFilters: true }))).toEqual([["a.*", "c"], ["*.b"]]);
  });

  it("leaves out what another filter takes", () => {
    expect(filtersOf(define(["news.*", "news.#", "news.one"]))).toEqual([["news"], ["news.>"]]);
    const record = define(["a.#"]);
    expect(define(["a.b"], { record, lastSequence: 7 }).sources).toEqual(record.sources);
  });

  it("lets a message arrive once, whatever overlaps", () => {
    const topics = ["a", "b", "a.b", "b.a", "a.b.c", "a.c", "c.b", "a.x.b", "x.y.b"];
    const sets = [
      ["a.*", "*.b"],
      ["a.#", "#.b"],
      ["a.#.b", "*.b", "a.*"],
      ["#", "a"],
      ["*.*", "a.#", "#.b"],
    ];
    for (const hasManyFilters of [false, true]) {
      for (const set of sets) {
        const record = define(set, { hasManyFilters });
        const patterns = set.map(parsePattern);
        for (const topic of topics) expect(arrivals(record, topic, 5), `${set} ${topic}`).toBe(patterns.some((pattern) => pattern.matches(topic)) ? 1 : 0);
      }
    }
  });

  it("still does when patterns are added later", () => {
    let record = define(["a.*"]);
    record = define(["*.b"], { record, lastSequence: 10 });
    record = define(["#"], { record, lastSequence: 20 });
    for (const [topic, sequence, times] of [
      ["a.b", 5, 1],
      ["x.b", 5, 0],
      ["a.b", 15, 1],
      ["x.b", 15, 1],
      ["x.b", 25, 1],
      ["x.y.z", 15, 0],
      ["x.y.z", 25, 1],
    ] as const)
      expect(arrivals(record, topic, sequence), `${topic} at ${sequence}`).toBe(times);
    expect(new Set(record.sources.map(({ number }) => number)).size).toBe(record.sources.length);
  });

  it("keeps what was stored before a pattern was dropped, and takes no more", () => {
    const record = dropPatterns(define(["a.#"]), ["a.#"], 10);
    expect(activePatterns(record)).toEqual([]);
    expect(arrivals(record, "a.b", 10)).toBe(1);
    expect(arrivals(record, "a.b", 11)).toBe(0);
    expect(idleSources(record)).toEqual(record.sources);
  });

  it("never gives up a source that overlaps another: it may own what waits there", () => {
    const record = dropPatterns(define(["a.*", "*.b"]), ["a.*"], 10);
    expect(idleSources(record)).toEqual([]);
  });

  it("counts everything in a stream that was made again", () => {
    const record = dropPatterns(define(["b"], { record: define(["a"]), lastSequence: 50 }), ["a"], 60);
    expect(rewound(record, 60)).toBe(record);
    expect(arrivals(record, "b", 3)).toBe(0);
    const fresh = rewound(record, 2);
    expect([arrivals(fresh, "b", 3), arrivals(fresh, "a", 3)]).toEqual([1, 0]);
  });

  it("says whether what waits is the group's alone", () => {
    expect(isExact(define(["a.#", "b.*"]))).toBe(true);
    expect(isExact(define(["a.#.b"]))).toBe(false);
    expect(isExact(define(["a.*", "*.b"]))).toBe(false);
  });

  it("serves more filters than there may be consumers with one wide one", () => {
    const many = Array.from({ length: sourcesMax + 1 }, (_, index) => `task.t${index}`);
    const record = define(many);
    expect(filtersOf(record)).toEqual([["task.>"]]);
    expect(arrivals(record, "task.t3", 1)).toBe(1);
    expect(arrivals(record, "task.other", 1)).toBe(0);
  });

  it("names consumers after the group", () => {
    expect(define(["a.#"]).sources.map((source) => durableOf("workers", source))).toEqual(["workers", "workers+2"]);
  });

  it("is read back as it was written, and is nothing where another program wrote", () => {
    const record = define(["a.#", "b"]);
    expect(parseRecord(formatRecord(record))).toEqual(record);
    for (const text of ["", "{", "null", "[]", '{"version":2}', '{"version":1,"incarnation":"x","patterns":[{"text":"a..b","since":0}],"sources":[]}'])
      expect(parseRecord(text)).toBeUndefined();
  });
});
