/** `npm run test:endurance`: what takes too long for every run of `npm test`. One file after the other: each has the machine for itself. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = resolve(fileURLToPath(import.meta.url), "..");

process.env.HALYARD_REPORT_DIR = resolve(root, "halyard-report");

export default defineConfig({
  test: {
    root,
    include: ["packages/*/test/**/*.endurance.ts"],
    fileParallelism: false,
    disableConsoleIntercept: true, // ledgers are shown as they close
    teardownTimeout: 10_000,
  },
});
