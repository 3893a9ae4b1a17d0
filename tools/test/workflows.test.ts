import { expect, test } from "vitest";
import { checkWorkflows } from "../src/workflows.ts";
import { folder } from "./fixture.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

test("an action must be pinned to a full commit with its version", () => {
  const lines = [`- uses: a/b@${commit} # v1.2.3`, "- uses: ./local", "- uses: a/b@v1", `  uses: a/b@${commit}`, "- uses: a/b@0123456 # v1.2.3"];
  const root = folder({ ".github/workflows/a.yml": lines.join("\n") });
  expect(checkWorkflows(root).map((breach) => breach.split(":")[1])).toEqual(["3", "4", "5"]);
});
