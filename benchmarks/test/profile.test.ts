import { expect, test } from "vitest";
import { profileTable, selfTimes } from "../src/profile.ts";

const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
const profile = {
  nodes: [
    { id: 1, callFrame: frame("(idle)") },
    { id: 2, callFrame: frame("publish", "file:///home/someone/halyard/packages/core/dist/publish.js", 9) },
    { id: 3, callFrame: frame("", "node:buffer", 1) },
    // The same function, reached another way.
    { id: 4, callFrame: frame("publish", "file:///home/someone/halyard/packages/core/dist/publish.js", 9) },
  ],
  samples: [2, 3, 1, 4],
  timeDeltas: [500, 3_000, 1_000, 9_000, 1_000],
};

test("self time is added up by function, without idling", () => {
  expect(selfTimes(profile)).toEqual([
    { place: "publish  packages/core/dist/publish.js:10", ms: 4 },
    { place: "(anonymous)  node:buffer:2", ms: 1 },
  ]);
});

test("the table says share and time per message", () => {
  const table = profileTable("server", selfTimes(profile), { messages: 1_000, top: 1 });
  expect(table).toContain("80.0 %    4.000 µs  publish");
  expect(table).not.toContain("anonymous");
});
