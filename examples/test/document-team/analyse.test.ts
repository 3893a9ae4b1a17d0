import { describe, expect, it } from "vitest";
import { analyse, textOf, type UnreadableDocument } from "../../document-team/analyse.ts";

const english = "The cat sat on the mat. It was not the first time that the cat did so, and it will not be the last one!";

describe("reading the text", () => {
  const codeOf = (bytes: Uint8Array): string => {
    try {
      textOf(bytes);
      return "readable";
    } catch (error) {
      return (error as UnreadableDocument).code;
    }
  };

  it("refuses what is empty, and what is only white space", () => {
    expect(codeOf(new Uint8Array(0))).toBe("EMPTY");
    expect(codeOf(Buffer.from(" \n\t\r\n"))).toBe("EMPTY");
    expect(codeOf(Buffer.from("\u{feff}"))).toBe("EMPTY");
  });

  it("refuses what is not UTF-8 and says where", () => {
    expect(() => textOf(Buffer.from([0x61, 0x62, 0xff, 0x63]))).toThrow("byte 2 of 4");
    expect(() => textOf(Buffer.from(`${"ä".repeat(10)}é`, "utf8").subarray(0, 21))).toThrow("byte 20 of 21");
    expect(() => textOf(Buffer.from("déjà vu", "latin1"))).toThrow("byte 1 of 7");
    expect(() => textOf(Buffer.from([0xf0, 0x9f, 0x90, 0x61]))).toThrow("byte 0 of 4");
    expect(codeOf(Buffer.from("déjà vu", "latin1"))).toBe("NOT_UTF8");
    expect(codeOf(Buffer.from("text", "utf16le").fill(0xd8, 1, 2))).toBe("NOT_UTF8");
  });

  it("reads any UTF-8, a byte order mark and signs beyond the first plane included", () => {
    expect(textOf(Buffer.from("\u{feff}# 🐈 \u{10ffff}"))).toBe("# 🐈 \u{10ffff}");
  });
});

describe("an analysis", () => {
  it("counts words and sentences by the rules of Unicode", () => {
    const analysis = analyse(`# Cats\n\n${english}`, "markdown");
    expect(analysis).toMatchObject({ title: "Cats", words: 26, sentences: 3, language: "English", headingCount: 1 });
    expect(analysis.wordLengthMean).toBeCloseTo(80 / 26, 5);
    expect(analysis.sentenceWordsMean).toBeCloseTo(26 / 3, 5);
    expect(analysis.readingMinutes).toBeCloseTo(26 / 238, 5);
  });

  it("does not take a line break for the end of a sentence, and an empty line for one", () => {
    expect(analyse("one two\nthree four", "text").sentences).toBe(1);
    expect(analyse("one two\n\nthree four", "text").sentences).toBe(2);
  });

  it("counts words of languages that write without spaces", () => {
    const { words, language, scripts } = analyse("我们在北京大学学习中文。", "text");
    expect(words).toBeGreaterThan(4);
    expect(language).toBe("Chinese");
    expect(scripts).toEqual({ Han: 1 });
  });

  it("has no words, sentences or means for a document of code alone", () => {
    expect(analyse("```\ncode\n```\n", "markdown")).toMatchObject({
      title: undefined,
      words: 0,
      sentences: 0,
      wordLengthMean: 0,
      sentenceWordsMean: 0,
      language: "undetermined",
      code: [{ language: "plain", blocks: 1, lines: 1 }],
    });
  });

  it("stays small whatever the document holds", () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => `# Heading ${index}\n[l](https://h${index}.example) word${index}x\n\`\`\`l${index}\n\`\`\`\n`);
    const analysis = analyse(lines.join("\n"), "markdown");
    expect(JSON.stringify(analysis).length).toBeLessThan(16_000);
    expect(analysis).toMatchObject({ headingCount: 5_000, linkCount: 5_000 });
  });

  it("counts hosts without user names, ports and www, and only those of the web", () => {
    const text = "[a](https://www.A.example:8080/x) [b](http://user@a.example) [c](mailto:x@y.example) [d](./e.md) [f](https://)";
    expect(analyse(text, "markdown").hosts).toEqual([{ term: "a.example", count: 2 }]);
  });
});

describe("hostile documents", () => {
  const size = 256 * 1024;
  const hostile = {
    "one word": "x".repeat(size),
    "words without an end": "word ".repeat(size / 5),
    "abbreviations without an end": "a. b ".repeat(size / 5),
    "line after line": "0123 ; [.1A2B]\n".repeat(size / 15),
    "combining marks": "e\u{301}".repeat(size / 3),
    "signs that belong together": "👩‍👩‍👧‍👦".repeat(size / 25),
    "no spaces": "漢".repeat(size / 3),
    headings: "# x\n".repeat(size / 4),
  };

  it.each(Object.entries(hostile))("are analysed in linear time: %s", (_, text) => {
    const startMs = performance.now();
    analyse(text, "markdown");
    // Below 0.3 s each; what is quadratic takes from ten seconds to minutes.
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it("are cut into pieces without losing a word", () => {
    expect(analyse("word ".repeat(50_000), "text").words).toBe(50_000);
    expect(analyse("lines\n".repeat(50_000), "text").words).toBe(50_000);
    expect(analyse("x ".repeat(4_000), "text").words).toBe(4_000);
  });
});
