/**
 * What every workspace's vitest run has in common; each `vitest.config.ts` re-exports it. A run writes one JSON report, which
 * `npm test` adds up to its closing line, and checks the types that `*.test-d.ts` files state.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = resolve(fileURLToPath(import.meta.url), "..");
const workspace = process.cwd();

/** Checking types starts the compiler, so it is left out where no file asks for it. */
const hasTypeTests = existsSync("test") && readdirSync("test", { recursive: true }).some((path) => String(path).endsWith(".test-d.ts"));

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: hasTypeTests, include: ["test/**/*.test-d.ts"], tsconfig: "./test/tsconfig.json" },
    reporters: ["default", "json"],
    outputFile: { json: resolve(root, "halyard-report/tests", `${basename(workspace)}.json`) },
    // Generous, because two cores are shared by all that runs at once; a test that waits for a condition states its own deadline.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // A test that hangs must end the run with a failure instead of holding it open.
    teardownTimeout: 10_000,
  },
});
