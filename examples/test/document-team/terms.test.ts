import { describe, expect, it } from "vitest";
import { commonTerms, countTerms, documentFrequencies, keyTerms } from "../../document-team/terms.ts";

describe("the terms of a document", () => {
  it("are words that carry meaning, and pairs that come again", () => {
    const words = "the message bus and the message bus of a broker 42 is".split(" ");
    expect(countTerms(words)).toEqual([
      { term: "bus", count: 2 },
      { term: "message", count: 2 },
      { term: "message bus", count: 2 },
      { term: "broker", count: 1 },
    ]);
  });

  it("make no pair across the end of a sentence", () => {
    expect(countTerms(["queue", "", "reader", "queue", "", "reader"]).map(({ term }) => term)).toEqual(["queue", "reader"]);
  });

  it("are bounded in number", () => {
    expect(countTerms(Array.from({ length: 1_000 }, (_, index) => `word${index}x`))).toHaveLength(60);
  });
});

describe("key terms", () => {
  const documents = [
    [
      { term: "install", count: 5 },
      { term: "parser", count: 4 },
      { term: "parser table", count: 3 },
    ],
    [
      { term: "install", count: 9 },
      { term: "socket", count: 2 },
    ],
    [{ term: "install", count: 1 }],
  ];
  const frequencies = documentFrequencies(documents);

  it("are frequent in the document and rare in the others, without parts of chosen pairs", () => {
    expect(keyTerms(documents[0] ?? [], frequencies, 3, 2)).toEqual(["parser", "install"]);
    expect(keyTerms(documents[1] ?? [], frequencies, 3, 1)).toEqual(["socket"]);
  });

  it("of the collection are those of several documents, but not of nearly all", () => {
    expect(
      commonTerms(
        new Map([
          ["all", 100],
          ["some", 40],
          ["rare", 1],
        ]),
        100,
        5,
      ),
    ).toEqual([{ term: "some", count: 40 }]);
  });
});
