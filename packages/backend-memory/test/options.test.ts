import { isHalyardError } from "@halyard/core/spi";
import { expect, test } from "vitest";
import { type MemoryOptions, settingsOf } from "../src/options.ts";

test("defaults are as documented", () => {
  expect(settingsOf({})).toEqual({
    carriesValues: false,
    messagesMax: 1_000_000,
    bytesMax: 536_870_912,
    bodyBytesMax: 16_777_216,
    dedupMs: 60_000,
    dedupIdsMax: 16_777_216,
    history: { messagesMax: 1_000, bytesMax: 16_777_216 },
    leaseMs: undefined,
  });
});

test("no body is allowed that could never fit", () => {
  expect(settingsOf({ bytesMax: 1_000 }).bodyBytesMax).toBe(1_000);
});

test.each<[string, unknown]>([
  ["fidelity", { fidelity: "fast" }],
  ["messagesMax", { messagesMax: 0 }],
  ["bytesMax", { bytesMax: 1.5 }],
  ["bodyBytesMax", { bodyBytesMax: "1kb" }],
  ["dedupMs", { dedupMs: -1 }],
  ["dedupIdsMax", { dedupIdsMax: Number.NaN }],
  ["history", { history: true }],
  ["history.messagesMax", { history: { messagesMax: 0 } }],
  ["messageMax", { history: { messageMax: 0 } }],
  ["leaseMs", { leaseMs: 0 }],
  ["maxMessages", { maxMessages: 5 }],
])("a wrong %s is refused by name", (name, options) => {
  try {
    settingsOf(options as MemoryOptions);
    expect.fail("accepted");
  } catch (error) {
    expect(isHalyardError(error, "INVALID_OPTIONS") && error.message.includes(name)).toBe(true);
  }
});
