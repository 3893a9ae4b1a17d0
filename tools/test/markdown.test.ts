import { describe, expect, test } from "vitest";
import { checkLinks } from "../src/links.ts";
import { parseMarkdown } from "../src/markdown.ts";
import { folder } from "./fixture.ts";

describe("reading Markdown", () => {
  test("finds code blocks with their language, marks, line and text", () => {
    const { blocks } = parseMarkdown("# A\n\n```ts run file=a.ts\nconst a = 1;\n```\n\n````md\n```ts\n```\n````\n");
    expect(blocks).toEqual([
      { language: "ts", tags: ["run", "file=a.ts"], line: 3, text: "const a = 1;\n" },
      { language: "md", tags: [], line: 7, text: "```ts\n```\n" },
    ]);
  });

  test("throws when a code block is not closed", () => {
    expect(() => parseMarkdown("text\n```ts\nconst a = 1;\n")).toThrow("line 2");
  });

  test("takes links from text, not from code", () => {
    const { links } = parseMarkdown('[a](a.md) and `[b](b.md)`\n```\n[c](c.md)\n```\n[d]: d.md\n<img src="e.png">\n');
    expect(links).toEqual([
      { target: "a.md", line: 1 },
      { target: "d.md", line: 5 },
      { target: "e.png", line: 6 },
    ]);
  });

  test("makes anchors as GitHub does", () => {
    expect([...parseMarkdown("# When *not* to use `it`?\n## A & B\n## A & B\n").anchors]).toEqual(["when-not-to-use-it", "a--b", "a--b-1"]);
  });
});

describe("relative links", () => {
  test("may lead to files, folders and headings, and addresses on the web are not asked", () => {
    const root = folder({
      "README.md": "# A\n[a](docs/b.md#a-b) [b](docs) [c](#a) [d](https://example.com/x) [e](mailto:a@example.com)\n",
      "docs/b.md": "# A b\n[up](../README.md)\n",
    });
    expect(checkLinks(root)).toEqual([]);
  });

  test("are reported when the file or the heading is missing", () => {
    const root = folder({ "README.md": "# A\n\n[a](docs/gone.md)\n[b](docs/b.md#gone)\n", "docs/b.md": "# B\n" });
    expect(checkLinks(root)).toEqual(["README.md:3: the link to docs/gone.md leads nowhere.", "README.md:4: the link to docs/b.md#gone leads nowhere."]);
  });

  test("that leave a package are reported: they are dead in what npm shows", () => {
    const root = folder({
      "package.json": JSON.stringify({ repository: { url: "git+https://example.com/a/b.git" } }),
      "docs/a.md": "# A\n[inside the repository](../packages/x/README.md)\n",
      "packages/x/README.md": "# X\n[a](docs/b.md) [b](#x) [c](../../docs/a.md) [d](../y/README.md)\n",
      "packages/x/docs/b.md": "# B\n[up](../README.md)\n",
      "packages/y/README.md": "# Y\n",
    });
    const dead = "leaves the package, and is dead where the package is installed";
    expect(checkLinks(root)).toEqual([
      `packages/x/README.md:2: the link to ../../docs/a.md ${dead}: write https://example.com/a/b/blob/main/docs/a.md.`,
      `packages/x/README.md:2: the link to ../y/README.md ${dead}: write https://example.com/a/b/blob/main/packages/y/README.md.`,
    ]);
  });

  test("by the address of the repository are looked up in the files that lie here", () => {
    const blob = "https://example.com/a/b/blob/main";
    const root = folder({
      "package.json": JSON.stringify({ repository: { url: "git+https://example.com/a/b.git" } }),
      "docs/a.md": "# A\n",
      "packages/x/README.md": `# X\n[a](${blob}/docs/a.md#a)\n[b](${blob}/docs/a.md#gone)\n[c](${blob}/gone.md) [d](https://example.com/a/b/issues)\n`,
    });
    expect(checkLinks(root)).toEqual([
      `packages/x/README.md:3: the link to ${blob}/docs/a.md#gone leads nowhere.`,
      `packages/x/README.md:4: the link to ${blob}/gone.md leads nowhere.`,
    ]);
  });
});
