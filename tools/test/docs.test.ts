/** Runs the examples that stand in the repository's documents. How the examples are found and judged is tested in `docs-examples.test.ts`. */
import { beforeAll, describe, expect, test } from "vitest";
import { type CompiledExamples, compileExamples } from "../src/docs-examples/compile.ts";
import { executeExample } from "../src/docs-examples/execute.ts";
import { extractExamples } from "../src/docs-examples/extract.ts";
import { repositoryRoot as root } from "../src/workspaces.ts";

const { examples, problems } = extractExamples(root);

describe("the examples in the documents", () => {
  let compiled: CompiledExamples;

  beforeAll(() => {
    compiled = compileExamples(root, examples);
  }, 60_000);

  test("are all marked in a way that says what is done with them", () => {
    expect(problems).toEqual([]);
    expect(compiled.otherErrors).toEqual([]);
  });

  test.each(examples.map((example) => [example.place, example] as const))("%s compiles", (_place, example) => {
    expect(compiled.errors.get(example)).toEqual([]);
  });

  const executed = examples.filter((example) => example.action !== "check").map((example) => [example.place, example] as const);
  test.each(executed)(
    "%s runs and does what the document says",
    async (_place, example) => {
      expect(await executeExample(root, compiled.directory, example)).toBeUndefined();
    },
    200_000,
  );
});
