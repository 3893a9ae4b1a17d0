import { describe, expect, it } from "vitest";
import { structureOf } from "../../document-team/structure.ts";

const markdown = (...lines: readonly string[]) => structureOf(lines.join("\n"), "markdown");

describe("the structure of Markdown", () => {
  it("finds headings with hashes and with underlines, and takes nothing else for one", () => {
    const { headings } = markdown("# One #", "", "Two", "---", "", "Three", "===", "", "#no heading", "- item", "---", "| a |", "---", "### C# and F#");
    expect(headings).toEqual([
      { level: 1, text: "One" },
      { level: 2, text: "Two" },
      { level: 1, text: "Three" },
      { level: 3, text: "C and F" },
    ]);
  });

  it("takes neither metadata at the top nor a rule below a heading for a heading", () => {
    expect(markdown("---", "title: x", "---", "# Real", "---", "text").headings).toEqual([{ level: 1, text: "Real" }]);
  });

  it("counts code blocks by language, with other fences inside, and one that is never closed", () => {
    const { codeBlocks, prose } = markdown("```TS title=x", "const a = 1;", "~~~", "```", "~~~", "plain", "~~~", "````md", "```", "````", "```js", "end");
    expect(codeBlocks).toEqual([
      { language: "ts", lines: 2 },
      { language: "plain", lines: 1 },
      { language: "md", lines: 1 },
      { language: "js", lines: 1 },
    ]);
    expect(prose.trim()).toBe("");
  });

  it("finds inline links, references and bare addresses, and leaves images out", () => {
    const { links } = markdown(
      "[a](https://a.example/x) ![i](https://image.example) [b](./b.md)",
      "",
      "[c]: https://c.example",
      "See https://d.example/path, yes.",
    );
    expect(links).toEqual(["https://a.example/x", "./b.md", "https://c.example", "https://d.example/path"]);
  });

  it("keeps what people read: no code, no markup, no comments, no targets", () => {
    const { prose } = markdown(
      "# Title",
      "<!-- secret\n<b>words</b> -->",
      "Some **bold** `code` and [a link](https://x.example) <br>",
      "[r]: https://y.example",
    );
    expect(prose.split(/\s+/).filter((word) => word !== "")).toEqual(["Title", "Some", "bold", "and", "a", "link"]);
  });
});

describe("the structure of other formats", () => {
  it("reads reStructuredText: underlined headings by their order, code directives, indented blocks and links", () => {
    const text = [
      "Title",
      "=====",
      "",
      "Section",
      "-------",
      "Run this::",
      "",
      "   npm test",
      "",
      "   twice",
      "",
      ".. code-block:: python",
      "   :linenos:",
      "",
      "   print(1)",
      "",
      "See `the page <https://p.example>`_.",
    ];
    const { headings, codeBlocks, links, prose } = structureOf(text.join("\n"), "restructured");
    expect(headings).toEqual([
      { level: 1, text: "Title" },
      { level: 2, text: "Section" },
    ]);
    expect(codeBlocks).toEqual([
      { language: "plain", lines: 2 },
      { language: "python", lines: 1 },
    ]);
    expect(links).toEqual(["https://p.example"]);
    expect(prose).not.toContain("npm test");
  });

  it("finds no headings in plain text, whatever its lines look like", () => {
    expect(structureOf("# not a heading\r\nhttps://t.example\r\n", "text")).toMatchObject({ headings: [], codeBlocks: [], links: ["https://t.example"] });
  });
});

describe("hostile documents", () => {
  const size = 256 * 1024;
  const hostile = {
    "open brackets": "[".repeat(size),
    "open images": "![".repeat(size / 2),
    "open links": "](".repeat(size / 2),
    "open tags": "<".repeat(size),
    "open comments": "<!--".repeat(size / 4),
    "back quotes": "` ".repeat(size / 2),
    "empty lines": "\n".repeat(size),
    "spaces in one line": `#${" ".repeat(size)}x`,
    colons: "::\n\n".repeat(size / 4),
    underlines: "a\n=\n".repeat(size / 4),
  };

  it.each(Object.entries(hostile))("are measured in linear time: %s", (_, text) => {
    const startMs = performance.now();
    for (const kind of ["markdown", "restructured", "text"] as const) structureOf(text, kind);
    // Linear is below 0.2 s; anything quadratic takes minutes for 256 KiB.
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
