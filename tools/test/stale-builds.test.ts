import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeStaleBuilds } from "../src/stale-builds.ts";
import { folder } from "./fixture.ts";

test("what was built from a source that is gone is removed before packing, and nothing else", () => {
  const built = ["now/wire.js", "now/wire.js.map", "now/wire.d.ts", "now/wire.d.ts.map"];
  const stale = ["now/gone.d.ts", "now/gone.d.ts.map", "now/gone.js", "now/gone.js.map"];
  const root = folder({
    "packages/x/package.json": "{}",
    "packages/x/src/now/wire.ts": "",
    "packages/x/bin/server.js": "",
    ...Object.fromEntries([...built, ...stale, "proxy.json"].map((path) => [`packages/x/dist/${path}`, ""])),
    "packages/private/package.json": '{ "private": true }',
    "packages/private/dist/old.js": "",
  });
  expect(removeStaleBuilds(root)).toEqual(stale.map((path) => `packages/x/dist/${path}`));
  for (const path of ["dist/proxy.json", "bin/server.js", ...built.map((name) => `dist/${name}`)])
    expect(existsSync(join(root, "packages/x", path))).toBe(true);
  for (const path of stale) expect(existsSync(join(root, "packages/x/dist", path))).toBe(false);
  expect(existsSync(join(root, "packages/private/dist/old.js"))).toBe(true);
});
