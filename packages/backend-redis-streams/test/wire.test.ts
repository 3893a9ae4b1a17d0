import { parsePattern, type WireMessage } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { Packer, unpackStrings } from "../src/packer.ts";
import { fields, packMessage, readMessage, timeMsOf } from "../src/wire.ts";
import { message } from "./redis-fixture.ts";

/** A UUIDv7 of the time that messages of the fixture have. */
const idOf1700000000000 = "018bcfe5-6800-7abc-8def-0123456789ab";
const place = { entryId: "1700000000123-4", topic: "fallback" };

function packed(one: WireMessage): Buffer[] {
  const packer = new Packer();
  packMessage(packer, one);
  const values = unpackStrings(packer.take());
  if (values === undefined) throw new Error("what was packed cannot be read");
  return values;
}

const asEntry = (pairs: Readonly<Record<string, string>>): Buffer[] =>
  Object.entries(pairs).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);

/** Numbers that look random and are the same every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const awkward = ["", " ", "\0", "\r\n", "ü", "🚀", "{a}", "%41", "__proto__", "constructor", "body", "content-type", "halyard-id", "x".repeat(300)];

describe("what is written", () => {
  it("has no field that is at its default, nor a time that the id tells", () => {
    const namesOf = (one: WireMessage) =>
      packed(one)
        .filter((_, index) => index % 2 === 0)
        .map(String);
    expect(namesOf(message("a.b", "m"))).toEqual(["body", "halyard-id", "halyard-topic", "halyard-time"]);
    const id = idOf1700000000000;
    expect(namesOf(message("a.b", id))).toEqual(["body", "halyard-id", "halyard-topic"]);
    expect(namesOf(message("a.b", id, { timeMs: 1_700_000_000_001 }))).toEqual(["body", "halyard-id", "halyard-topic", "halyard-time"]);
    expect(namesOf(message("a.b", id, { contentType: "text/plain" }))).toEqual(["body", "halyard-id", "halyard-topic", "content-type"]);
  });

  it("carries each field under the name that other languages read", () => {
    const values = packed(message("a.b", "m", { priority: 9, persistent: false, attempt: 2, key: "k", headers: { note: "n", body: "header" } })).map(String);
    const pairs = Object.fromEntries(values.flatMap((name, index) => (index % 2 === 0 ? [[name, values[index + 1]]] : [])));
    expect(pairs).toEqual({
      body: '"m"',
      "halyard-id": "m",
      "halyard-topic": "a.b",
      "halyard-time": "1700000000000",
      "halyard-attempt": "2",
      "halyard-priority": "9",
      "halyard-persistent": "0",
      "halyard-key": "k",
      note: "n",
      "header:body": "header",
    });
  });
});

describe("what is read", () => {
  it("is what was written, whatever it holds", () => {
    const random = seeded(7);
    const pick = <Value>(list: readonly Value[]): Value => list[Math.floor(random() * list.length)] as Value; // lists are not empty
    const maybe = <Value>(value: Value): Value | undefined => (random() < 0.5 ? value : undefined);
    for (let round = 0; round < 300; round++) {
      const headers: Record<string, string> = Object.create(null) as Record<string, string>;
      for (let count = Math.floor(random() * 6); count > 0; count--)
        headers[pick(["a", "b-c", "0", "__proto__", "body", "content-type", "halyard-dead-reason", `n${round}`])] = pick(awkward);
      const sent: WireMessage = {
        ...message("a.b", pick([`id-${round}`, idOf1700000000000])),
        timeMs: pick([1_700_000_000_000, 1_700_000_000_001]),
        body: Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))),
        attempt: 1 + Math.floor(random() * 4),
        priority: Math.floor(random() * 10),
        persistent: random() < 0.5,
        contentType: pick(["application/json", "application/x-test"]),
        contentEncoding: maybe("gzip"),
        key: maybe(pick(awkward)),
        type: maybe(pick(awkward)),
        source: maybe(pick(awkward)),
        correlationId: maybe(pick(awkward)),
        replyTo: maybe(pick(awkward)),
        expiresAtMs: maybe(1_800_000_000_000 + round),
        notBeforeMs: maybe(1_700_000_000_000 + round),
        headers,
      };
      const read = readMessage(packed(sent), place);
      expect({ ...read, body: Buffer.from(read.body), headers: { ...read.headers } }).toEqual({ ...sent, headers: { ...headers } });
    }
  });

  it("keeps more headers than one command takes", () => {
    const headers = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`h${index}`, String(index)]));
    const values = packed(message("a.b", "m", { headers }));
    expect(values.length).toBeLessThan(7_000);
    expect({ ...readMessage(values, place).headers }).toEqual(headers);
  });

  it("takes a foreign entry for what it can be: id and time from its place, JSON, no headers that are none", () => {
    const read = readMessage(asEntry({ body: "{}", Note: "n", "not a header": "x", ü: "y" }), place);
    expect({ ...read, body: String(read.body), headers: { ...read.headers } }).toMatchObject({
      id: "1700000000123-4",
      topic: "fallback",
      timeMs: 1_700_000_000_123,
      attempt: 1,
      priority: 4,
      persistent: true,
      contentType: "application/json",
      body: "{}",
      headers: { note: "n" },
    });
  });

  it.each([
    ["017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 1_645_557_742_000], // the example of RFC 9562, appendix A.6
    ["017F22E2-79B0-7CC3-98C4-DC0C0C07398F", undefined],
    ["017f22e2-79b0-4cc3-98c4-dc0c0c07398f", undefined],
    ["017f22e2x79b0-7cc3-98c4-dc0c0c07398f", undefined],
    ["017f22e2-79bg-7cc3-98c4-dc0c0c07398f", undefined],
    ["ffffffff-ffff-7fff-bfff-ffffffffffff", 2 ** 48 - 1],
    ["", undefined],
  ])("knows the time in the id %s", (id, timeMs) => {
    expect(timeMsOf(id)).toBe(timeMs);
  });

  it.each([
    { [fields.id]: "no id\r\n", [fields.topic]: "a..b", [fields.timeMs]: "-1" },
    { [fields.attempt]: "0", [fields.priority]: "99", [fields.expiresAtMs]: "1e9", [fields.notBeforeMs]: "99999999999999999999" },
    { [fields.contentType]: "", [fields.contentEncoding]: "", [fields.moreHeaders]: "{not json" },
    { [fields.moreHeaders]: '[["a"],7,["b","c"],["UPPER","d"],["bad name","e"]]' },
    { "header:": "x", "header:__proto__": "y", "": "z" },
  ])("never throws and stays within the grammar for hostile fields %#", (pairs) => {
    const read = readMessage(asEntry(pairs), place);
    expect(read.id).toBe(place.entryId);
    expect(parsePattern("#").matches(read.topic)).toBe(true);
    expect(read.attempt).toBeGreaterThanOrEqual(1);
    expect(read.priority).toBeLessThanOrEqual(9);
    expect(read.contentType).toBe("application/json");
    expect(Object.getPrototypeOf(read.headers)).toBeNull();
    for (const name of Object.keys(read.headers)) expect(name).toMatch(/^[a-z0-9_-]{1,64}$/);
  });

  it("survives an entry with an odd number of values and bytes of every kind", () => {
    const random = seeded(3);
    for (let round = 0; round < 200; round++) {
      const values = Array.from({ length: Math.floor(random() * 9) }, () =>
        Buffer.from(Array.from({ length: Math.floor(random() * 20) }, () => Math.floor(random() * 256))),
      );
      expect(readMessage(values, place).id).toBe(place.entryId);
    }
  });
});

describe("a live copy", () => {
  it("is read in the short forms that other libraries write", () => {
    const bytes = Buffer.from([0x94, 0xa1, 0x61, 0xd9, 1, 0x62, 0xc4, 1, 0x63, 0xda, 0, 1, 0x64]);
    expect(unpackStrings(bytes)?.map(String)).toEqual(["a", "b", "c", "d"]);
  });

  it.each([[[]], [[0xdd, 0xff, 0xff, 0xff, 0xff]], [[0x92, 0xa1]], [[0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]], [[0x91, 0xc0]], [[0x7b, 0x7d]]])(
    "that is none is left out: %j",
    (bytes) => {
      expect(unpackStrings(Buffer.from(bytes))).toBeUndefined();
    },
  );
});
