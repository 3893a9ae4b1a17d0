/**
 * `npm run check`: everything about the repository that no test asks. All steps run, also after one failed, so that one run tells everything.
 * What failed is left in `halyard-report/check.json` for the closing line of `.ci/run`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { checkChangesets } from "../changesets.ts";
import { checkLinks } from "../links.ts";
import { checkPackageShape } from "../package-shape.ts";
import { checkPublished } from "../published.ts";
import { checkSourceRules } from "../source-rules.ts";
import { checkWorkflows } from "../workflows.ts";
import { repositoryRoot as root } from "../workspaces.ts";

/** What is wrong; empty when the step passed. Programs write their findings to the terminal themselves. */
type Step = () => readonly string[];

const steps: Readonly<Record<string, Step>> = {
  format: () => program("biome", "check", "--error-on-warnings", "."),
  "types of tests": () => program("turbo", "run", "check", "--continue=always"),
  "package shape": () => checkPackageShape(root),
  "source rules": () => checkSourceRules(root),
  "unused code": () => program("knip", "--no-config-hints"),
  "packed packages": () => checkPublished(root),
  changesets: () => checkChangesets(root, process.env.HALYARD_BASE || undefined),
  workflows: () => checkWorkflows(root),
  links: () => checkLinks(root),
  guarantees: () => program(process.execPath, "tools/dist/cli/guarantees.js", "--check"),
};

const wanted = process.argv.slice(2);
for (const name of wanted) if (!Object.hasOwn(steps, name)) throw new Error(`There is no check "${name}"; there are: ${Object.keys(steps).join(", ")}.`);

const failed: string[] = [];
for (const [name, step] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startedMs = performance.now();
  const breaches = step();
  for (const breach of breaches) console.error(breach);
  if (breaches.length > 0) failed.push(name);
  console.log(`${breaches.length > 0 ? "FAILED" : "ok    "} ${name} (${Math.round(performance.now() - startedMs)} ms)`);
}

mkdirSync(join(root, "halyard-report"), { recursive: true });
writeFileSync(join(root, "halyard-report/check.json"), JSON.stringify({ failed }));
console.log(failed.length > 0 ? `Checks that failed: ${failed.join(", ")}. Run one alone with: npm run check -- "${failed[0]}"` : "All checks passed.");
process.exitCode = failed.length > 0 ? 1 : 0;

/** `tools/run.mjs` puts `node_modules/.bin` on the path. */
function program(name: string, ...parameters: string[]): readonly string[] {
  const result = spawnSync(name, parameters, { cwd: root, stdio: "inherit", shell: process.platform === "win32" });
  if (result.error) return [`${name} could not be started: ${result.error.message}`];
  return result.status === 0 ? [] : [`${name} found something, see above.`];
}
