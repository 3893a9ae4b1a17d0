import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inexcusablePromises, promiseTitles } from "../src/promises.ts";
import { repositoryRoot } from "../src/workspaces.ts";

test("the page for authors of backends lists every promise by its number, in the words of the guarantee table", () => {
  const page = readFileSync(join(repositoryRoot, "docs/backend-authors.md"), "utf8");
  const missing = [...promiseTitles].filter(([promise, title]) => !page.includes(`\n| ${promise} | ${title} |`));
  expect(missing).toEqual([]);
});

test("the testkit and the guarantee table excuse no backend from the same promises", () => {
  const source = readFileSync(join(repositoryRoot, "packages/testkit/src/conformance/case.ts"), "utf8");
  expect(source).toContain(`inexcusablePromises: readonly number[] = [${inexcusablePromises.join(", ")}];`);
});
