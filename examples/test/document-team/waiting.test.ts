import { describe, expect, it } from "vitest";
import { until, within } from "../../document-team/waiting.ts";

const patience = { what: "the end", progress: () => 0, describe: async () => "analysts: 3 waiting.", signal: new AbortController().signal };

describe("waiting", () => {
  it("ends when the condition holds", async () => {
    let looks = 0;
    await until(() => ++looks === 3, patience);
    expect(looks).toBe(3);
  });

  it("gives up when nothing moves, and says what waits for what", async () => {
    await expect(until(() => false, { ...patience, stallMs: 60 })).rejects.toThrow("Nothing moved for 0.06 s while waiting for the end. analysts: 3 waiting.");
  });

  it("goes on as long as something moves", async () => {
    let moves = 0;
    await until(() => moves > 12, { ...patience, stallMs: 150, progress: () => ++moves });
    expect(moves).toBeGreaterThan(12);
  });

  it("ends at once when somebody says stop", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("stopped")), 20);
    await expect(until(() => false, { ...patience, signal: stop.signal })).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
  });

  it("for a promise has a deadline, and passes on what comes in time", async () => {
    await expect(within(new Promise(() => undefined), 20, "Nobody came")).rejects.toThrow("Nobody came within 0.02 s.");
    await expect(within(Promise.resolve(7), 1_000, "Nobody came")).resolves.toBe(7);
  });
});
