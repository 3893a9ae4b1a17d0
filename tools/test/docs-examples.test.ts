import { copyFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileExamples } from "../src/docs-examples/compile.ts";
import { executeExample, printsAs } from "../src/docs-examples/execute.ts";
import { type Example, extractExamples, extractFrom } from "../src/docs-examples/extract.ts";
import { repositoryRoot } from "../src/workspaces.ts";
import { folder } from "./fixture.ts";

describe("finding examples", () => {
  test("takes what is marked as TypeScript, with what it must print", () => {
    const { examples, problems } = extractFrom("docs/a.md", "```ts run\nconsole.log(1);\n```\n\n```text output\n1\n```\n```ts\nlet a = 1;\n```\n");
    expect(problems).toEqual([]);
    expect(examples).toMatchObject([
      { path: "docs-a/line-1.ts", action: "run", output: "1\n" },
      { path: "docs-a/line-8.ts", action: "check", output: undefined },
    ]);
  });

  test("puts a block marked as before in front of the next one only", () => {
    const { examples } = extractFrom("a.md", "<!--\n```ts before\ndeclare const a: number;\n```\n-->\n```ts\na;\n```\n```ts\n1;\n```\n");
    expect(examples.map((example) => example.code)).toEqual(["declare const a: number;\na;\n", "1;\n"]);
  });

  test.each([
    ["```ts ignore\n```", "needs a reason"],
    ["```ts runs\n```", '"runs" is no known mark'],
    ["```typescript\n```", 'mark the example as "ts"'],
    ["```ts before\n```", "has no example after it"],
  ])("reports %j", (text, problem) => {
    expect(extractFrom("a.md", `${text}\n`).problems.join()).toContain(problem);
  });

  test("leaves out what is ignored with a reason", () => {
    expect(extractFrom("a.md", "```ts ignore needs a broker\nnonsense(\n```\n")).toEqual({ examples: [], problems: [] });
  });
});

describe("compiling and executing examples", { timeout: 60_000 }, () => {
  test("reports a type error at its line in the document", () => {
    const { compiled, examples } = compile(
      '# A\n\n```ts before\nconst a = 1;\n```\n\n```ts\nexport const b: number = a;\nexport const c: string = "";\nexport const d: string = a;\n```\n',
    );
    expect(compiled.errors.get(first(examples))).toEqual([expect.stringMatching(/^README\.md:10: error TS2322/)]);
  });

  test("lets examples of one document import each other by name", async () => {
    const { root, compiled, examples } = compile(
      '```ts file=a.ts\nexport const a: number = 41;\n```\n```ts run\nimport { a } from "./a.ts";\nconsole.log(a + 1);\n```\n```text output\n42\n```\n',
    );
    expect([...compiled.errors.values()].flat()).toEqual([]);
    expect(await executeExample(root, compiled.directory, last(examples))).toBeUndefined();
  });

  test("reports another output than the document says, and an example that fails", async () => {
    const { root, compiled, examples } = compile('```ts run\nconsole.log("a");\n```\n```text output\nb\n```\n```ts run\nthrow new Error("broken");\n```\n');
    expect(await executeExample(root, compiled.directory, first(examples))).toContain("prints something else");
    expect(await executeExample(root, compiled.directory, last(examples))).toMatch(/exit status 1[\s\S]*broken/);
  });

  test("executes an example marked as test with vitest, and reports when it fails", async () => {
    const code = (expected: number): string =>
      `\`\`\`ts test\nimport { expect, test } from "vitest";\ntest("adds", () => expect(1 + 1).toBe(${expected}));\n\`\`\`\n`;
    const { root, compiled, examples } = compile(code(2) + code(3));
    expect([...compiled.errors.values()].flat()).toEqual([]);
    expect(await executeExample(root, compiled.directory, first(examples))).toBeUndefined();
    expect(await executeExample(root, compiled.directory, last(examples))).toContain("exit status 1");
  });

  test("takes … in the output for any text within a line", () => {
    expect(printsAs("id 0193-aa took 12 ms\nend\n", "id … took … ms\nend\n")).toBe(true);
    expect(printsAs("id 0193-aa took 12 s\nend\n", "id … took … ms\nend\n")).toBe(false);
    expect(printsAs("a\nb\n", "…\n")).toBe(false);
    expect(printsAs("aXa\n", "aXa…aXa\n")).toBe(false);
  });

  function compile(readme: string): { root: string; compiled: ReturnType<typeof compileExamples>; examples: readonly Example[] } {
    const root = folder({ "README.md": readme });
    symlinkSync(join(repositoryRoot, "node_modules"), join(root, "node_modules"), "junction");
    copyFileSync(join(repositoryRoot, "tsconfig.base.json"), join(root, "tsconfig.base.json"));
    const { examples } = extractExamples(root);
    return { root, compiled: compileExamples(root, examples), examples };
  }

  function first(examples: readonly Example[]): Example {
    return at(examples, 0);
  }

  function last(examples: readonly Example[]): Example {
    return at(examples, examples.length - 1);
  }

  function at(examples: readonly Example[], index: number): Example {
    const example = examples[index];
    if (example === undefined) throw new Error("The document has no such example.");
    return example;
  }
});
