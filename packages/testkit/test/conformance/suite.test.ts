import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend, Capabilities } from "@halyard/core/spi";
import { describe, it, vi } from "vitest";
import type { ConformanceCase } from "../../src/conformance/case.ts";
import { Report } from "../../src/conformance/report.ts";
import { exclusionOf, runCase } from "../../src/conformance/run-case.ts";
import { describeBackend } from "../../src/index.ts";

const create = (): Backend => {
  throw new Error("no case may run here");
};

const abilities = {
  restartBroker: false,
  destroyGroup: false,
  wrongCredentials: false,
  hasWire: false,
  hasHostClock: false,
  history: false,
  hasSecrets: false,
  leaseMs: undefined,
};

const capabilities: Capabilities = {
  durable: false,
  dedupMs: 0,
  orderedTopics: true,
  exclusive: false,
  priorityLevels: 1,
  delayMsMax: 0,
  delayLateness: { ratio: 0, floorMs: 0 },
  countsDeliveries: false,
  handlerMsMax: undefined,
  startsAt: { earliest: false, time: false },
  bodyBytesMax: 1,
  carriesValues: false,
  persistentByMessage: false,
};

const facts = { capabilities, abilities };
const one = (run: ConformanceCase["run"], fields: Partial<ConformanceCase> = {}): ConformanceCase => ({
  promise: 7,
  title: "a case",
  kind: "limit",
  run,
  ...fields,
});

describe("describeBackend", () => {
  it("takes no excuse for a promise that binds every backend", () => {
    for (const promise of [1, 3, 9, 20, 24]) {
      assert.throws(() => describeBackend("lazy", { create, excuses: { [promise]: "too hard" } }), new RegExp(`promise ${promise}`));
    }
  });

  it("refuses to be skipped in CI", () => {
    vi.stubEnv("CI", "true");
    try {
      assert.throws(() => describeBackend("absent", { create, skip: "no broker here" }), /no broker here/);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("runCase", () => {
  it("puts the promise before the message of a failure", async () => {
    const failing = one(async () => {
      throw new Error("it broke");
    });
    await assert.rejects(runCase(failing, { create }, facts), { message: "promise 7: it broke" });
  });

  it("ends a case that hangs, and a condition that never holds", async () => {
    const hanging = one(() => new Promise(() => undefined));
    await assert.rejects(runCase(hanging, { create }, facts, { deadlineMs: 20 }), /promise 7: the case did not end/);
    const waiting = one((world) => world.until(() => false, "the moon is blue"));
    await assert.rejects(runCase(waiting, { create }, facts, { deadlineMs: 20 }), /promise 7: not within 20 ms: the moon is blue/);
  });

  it("ends early where its signal says so", async () => {
    const controller = new AbortController();
    const running = runCase(
      one(() => new Promise(() => undefined)),
      { create },
      facts,
      { signal: controller.signal },
    );
    controller.abort();
    await assert.rejects(running, /promise 7: the case was given up/);
  });

  it("advances the simulated clock for timed cases", async () => {
    const timed = one(
      async (world) => {
        let isDue = false;
        world.clock.after(60_000, () => {
          isDue = true;
        });
        await world.advance(59_999);
        assert.equal(isDue, false);
        await world.advance(1);
        assert.equal(isDue, true);
      },
      { isTimed: true },
    );
    await runCase(timed, { create }, facts);
  });
});

describe("exclusionOf", () => {
  it("says why a case is not for a backend", () => {
    const timed = one(async () => undefined, { isTimed: true });
    assert.equal(exclusionOf(timed, facts), "its broker keeps its own time");
    assert.equal(exclusionOf(timed, { capabilities, abilities: { ...abilities, hasHostClock: true } }), undefined);
    const needy = one(async () => undefined, { needs: ({ durable }) => (durable ? undefined : "it is not durable") });
    assert.equal(exclusionOf(needy, facts), "it is not durable");
  });
});

describe("Report", () => {
  it("writes what held, what did not and what was not asked", async () => {
    const folder = await mkdtemp(join(tmpdir(), "halyard-report-"));
    const report = new Report("toy");
    report.of(2).passed++;
    report.of(1).failed++;
    report.exclude(
      one(async () => undefined),
      "too slow",
    );
    report.write(folder, capabilities, { 7: "an excuse" });
    const written = JSON.parse(await readFile(join(folder, "guarantees", "toy.json"), "utf8")) as Record<string, unknown>;
    assert.deepEqual(written, {
      backend: "toy",
      capabilities: JSON.parse(JSON.stringify(capabilities)) as unknown,
      promises: [
        { promise: 1, passed: 0, failed: 1, excluded: [] },
        { promise: 2, passed: 1, failed: 0, excluded: [] },
        { promise: 7, passed: 0, failed: 0, excluded: [{ title: "a case", reason: "too slow" }], excuse: "an excuse" },
      ],
    });
    await rm(folder, { recursive: true });
  });
});
