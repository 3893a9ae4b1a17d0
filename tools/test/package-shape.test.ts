import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { checkPackageShape } from "../src/package-shape.ts";
import type { Manifest } from "../src/workspaces.ts";

/** A manifest that a test may break. */
type Editable = { -readonly [field in keyof Manifest]?: unknown } & {
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
};

describe("the shape of packages", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "halyard-shape-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    cpSync(new URL("../fixtures/well-shaped", import.meta.url), root, { recursive: true });
  });

  test("finds nothing in a repository where all is well", () => {
    expect(checkPackageShape(root)).toEqual([]);
  });

  test.each<readonly [what: string, change: (manifest: Editable) => void, breach: string]>([
    ["a name that is not the folder's", (manifest) => Object.assign(manifest, { name: "@halyard/other" }), `"name"`],
    ["another license", (manifest) => Object.assign(manifest, { license: "ISC" }), `"license"`],
    ["CommonJS", (manifest) => Object.assign(manifest, { type: "commonjs" }), `"type"`],
    ["side effects that are not denied", (manifest) => Object.assign(manifest, { sideEffects: undefined }), `"sideEffects"`],
    ["another range of Node", (manifest) => Object.assign(manifest, { engines: { node: ">=18" } }), `"engines.node"`],
    ["another repository", (manifest) => Object.assign(manifest, { repository: { type: "git", url: "git+https://example.com/x.git" } }), `"repository.url"`],
    ["publishing without provenance", (manifest) => Object.assign(manifest, { publishConfig: { access: "public" } }), `"publishConfig.provenance"`],
    ["files that are not packed", (manifest) => Object.assign(manifest, { files: ["dist"] }), `"files"`],
    ["no description", (manifest) => Object.assign(manifest, { description: "" }), `"description"`],
    [
      "an entry point with types last",
      (manifest) => Object.assign(manifest.exports, { ".": { default: "./dist/index.js", types: "./dist/index.d.ts" } }),
      `"types" first`,
    ],
    [
      "an entry point without a source",
      (manifest) => Object.assign(manifest.exports, { "./x": { types: "./dist/x.d.ts", default: "./dist/x.js" } }),
      "not built from src/",
    ],
    ["a program that does not exist yet when it is linked", (manifest) => Object.assign(manifest, { bin: { server: "./dist/bin/server.js" } }), `"bin" server`],
    ["a program whose file is missing", (manifest) => Object.assign(manifest, { bin: { x: "./bin/x.js" } }), `"bin" x points to ./bin/x.js`],
    ["a dependency that nothing imports", (manifest) => Object.assign(manifest.dependencies, { "left-pad": "1.0.0" }), "left-pad is a dependency"],
    ["a sister package by its version", (manifest) => Object.assign(manifest.dependencies, { "@halyard/core": "^1.0.0" }), `"workspace:^"`],
    ["a library that is older than it may be", (manifest) => Object.assign(manifest.dependencies, { amqplib: "^0.10.9" }), '"^2.3.1" or newer, not "^0.10.9"'],
    ["a library of any version", (manifest) => Object.assign(manifest.dependencies, { ioredis: "*" }), '"^6.0.0" or newer, not "*"'],
    ["a script that is missing", (manifest) => Object.assign(manifest.scripts, { bench: undefined }), `script "bench"`],
  ])("reports %s", (_what, change, breach) => {
    const path = join(root, "packages/backend-x/package.json");
    const manifest = JSON.parse(readFileSync(path, "utf8")) as Editable;
    change(manifest);
    writeFileSync(path, JSON.stringify(manifest));
    expect(checkPackageShape(root).join("\n")).toContain(breach);
  });

  test.each([
    ["an import that is no dependency", 'import "pino";', "pino is imported by src/"],
    ["a type of a package that is no dependency", 'import type { Logger } from "pino";\nexport type { Logger };', "pino is imported by src/"],
    ["core from its main entry in a backend", 'export { core } from "@halyard/core";', '"@halyard/core" must not be imported here'],
    ["a deep path into a sister package", 'export { core } from "@halyard/core/src/index.ts";', "is no entry point"],
    ["a relative import without .ts", 'export { wire } from "./wire.js";', '"./wire.js" must end in .ts'],
    ["a relative import that leads nowhere", 'export { wire } from "./gone.ts";', '"./gone.ts" does not exist'],
    ["a built-in module without node:", 'import "fs";', 'must be imported as "node:fs"'],
    ["a dynamic import", 'export const later = () => import("pino");', "pino is imported by src/"],
    ["a circle of modules", 'export { wire } from "./wire.ts";\nimport "./circle.ts";', "in a circle"],
  ])("reports %s", (_what, code, breach) => {
    writeFileSync(join(root, "packages/backend-x/src/circle.ts"), `${code}\n`);
    expect(checkPackageShape(root).join("\n")).toContain(breach);
  });

  test("allows a circle of types only", () => {
    writeFileSync(join(root, "packages/backend-x/src/a.ts"), 'import type { B } from "./b.ts";\nexport interface A { b: B }\n');
    writeFileSync(join(root, "packages/backend-x/src/b.ts"), 'import type { A } from "./a.ts";\nexport interface B { a: A }\n');
    expect(checkPackageShape(root)).toEqual([]);
  });

  test("reports a runtime dependency of core", () => {
    const path = join(root, "packages/core/package.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), dependencies: { pino: "^9.0.0" } }));
    writeFileSync(join(root, "packages/core/src/log.ts"), 'export { pino } from "pino";\n');
    expect(checkPackageShape(root)).toEqual(["packages/core: core has no runtime dependency, none may be added."]);
  });

  test.each([
    ["README.md", "README.md is missing"],
    ["LICENSE", "LICENSE is missing"],
    ["test/wire.test.ts", "test/ has no *.test.ts file"],
    ["tsconfig.json", "tsconfig.json must reference ../core"],
  ])("reports a package without %s", (file, breach) => {
    rmSync(join(root, "packages/backend-x", file));
    expect(checkPackageShape(root).join("\n")).toContain(breach);
  });

  test("reports logic in src/index.ts", () => {
    writeFileSync(join(root, "packages/backend-x/src/index.ts"), "export const answer = 42;\n");
    expect(checkPackageShape(root).join("\n")).toContain("src/index.ts must hold re-exports only");
  });

  test("reports what a compiler left beside the sources", () => {
    writeFileSync(join(root, "packages/backend-x/src/wire.js"), "");
    expect(checkPackageShape(root)).toEqual(["packages/backend-x: src/wire.js: src/ holds sources only; delete it, the build goes to dist/."]);
  });

  test("reports a file whose name says nothing", () => {
    writeFileSync(join(root, "packages/backend-x/src/utils.ts"), "export const answer = 42;\n");
    expect(checkPackageShape(root)).toEqual(["packages/backend-x: src/utils.ts: name the file after the one thing it explains."]);
  });
});
