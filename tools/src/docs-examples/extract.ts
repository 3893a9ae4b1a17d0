/**
 * Finds the TypeScript examples in the repository's documents. What follows the language on the opening fence says what is done with one:
 *
 * - nothing: it is type-checked, as a module of its own;
 * - `run`: it is also executed; a block "text output" right after it is what it must print (`…` stands for any text within a line);
 * - `test`: it is also executed, by vitest;
 * - `file=name.ts`: it is stored under that name, so that other examples of the document can import it;
 * - `before`: its text is put before the next example; inside an HTML comment it is invisible to readers;
 * - `ignore` and a reason: nothing is done.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type CodeBlock, parseMarkdown } from "../markdown.ts";
import { listFiles, publishedPackages } from "../workspaces.ts";

/** One example as it will be compiled. */
export interface Example {
  /** The document, relative to the root. */
  readonly document: string;
  /** Where it stands, for people: `README.md:12`. */
  readonly place: string;
  /** The module's path below the examples' folder: `README/line-12.ts`. */
  readonly path: string;
  readonly code: string;
  /** Add to a line of `code` to get the line in the document. */
  readonly lineOffset: number;
  readonly action: "check" | "run" | "test";
  /** What it must print, when the document says so. */
  readonly output: string | undefined;
}

/** The examples of all documents, and what is wrong with how they are marked. */
export interface Examples {
  readonly examples: readonly Example[];
  readonly problems: readonly string[];
}

/** Reads `README.md`, `docs/` and the packages' `README.md` below `root`. */
export function extractExamples(root: string): Examples {
  const packages = publishedPackages(root).map((workspace) => join(workspace.directory, "README.md"));
  const documents = [join(root, "README.md"), ...listFiles(join(root, "docs"), ".md"), ...packages].filter((path) => existsSync(path));
  const found = documents.map((path) => extractFrom(relative(root, path).replaceAll("\\", "/"), readFileSync(path, "utf8")));
  return { examples: found.flatMap((each) => each.examples), problems: found.flatMap((each) => each.problems) };
}

/** Reads one document. */
export function extractFrom(document: string, text: string): Examples {
  const folder = document.replace(/\.md$/, "").replaceAll("/", "-");
  const examples: Example[] = [];
  const problems: string[] = [];
  const { blocks } = parseMarkdown(text);
  let before = "";
  for (const [index, block] of blocks.entries()) {
    const place = `${document}:${block.line}`;
    const problem = problemOf(block);
    if (problem !== undefined) problems.push(`${place}: ${problem}`);
    if (block.language !== "ts" || block.tags[0] === "ignore" || problem !== undefined) continue;
    if (block.tags.includes("before")) {
      before += block.text;
      continue;
    }
    const action = block.tags.includes("run") ? "run" : block.tags.includes("test") ? "test" : "check";
    const path = `${folder}/${nameOf(block, action)}`;
    const lineOffset = block.line - (before.split("\n").length - 1);
    examples.push({ document, place, path, code: before + block.text, lineOffset, action, output: outputOf(blocks[index + 1]) });
    before = "";
  }
  if (before !== "") problems.push(`${document}: a block "ts before" has no example after it.`);
  return { examples, problems };
}

function problemOf(block: CodeBlock): string | undefined {
  if (/^(typescript|tsx|mts|js|javascript|mjs)$/.test(block.language)) return `mark the example as "ts", so that it is checked, not as "${block.language}".`;
  if (block.language !== "ts") return undefined;
  if (block.tags[0] === "ignore") return block.tags.length > 1 ? undefined : `"ts ignore" needs a reason after it.`;
  const unknown = block.tags.find((tag) => !/^(run|test|before|file=[\w-]+(\.[\w-]+)*\.ts)$/.test(tag));
  return unknown === undefined ? undefined : `"${unknown}" is no known mark of an example.`;
}

function nameOf(block: CodeBlock, action: Example["action"]): string {
  const name = block.tags.find((tag) => tag.startsWith("file="))?.slice("file=".length) ?? `line-${block.line}.ts`;
  return action === "test" && !name.endsWith(".test.ts") ? name.replace(/\.ts$/, ".test.ts") : name;
}

function outputOf(block: CodeBlock | undefined): string | undefined {
  return block?.language === "text" && block.tags.includes("output") ? block.text : undefined;
}
