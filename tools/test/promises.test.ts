import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { promiseTitles } from "../src/promises.ts";
import { repositoryRoot } from "../src/workspaces.ts";

test("the page for authors of backends lists every promise by its number, in the words of the guarantee table", () => {
  const page = readFileSync(join(repositoryRoot, "docs/backend-authors.md"), "utf8");
  const missing = [...promiseTitles].filter(([promise, title]) => !page.includes(`\n| ${promise} | ${title} |`));
  expect(missing).toEqual([]);
});
