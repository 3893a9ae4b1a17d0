import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend, Capabilities } from "@halyard/core/spi";
import { describe, it, vi } from "vitest";
import type { ConformanceCase } from "../../src/conformance/case.ts";
import { type Fault, faults } from "../../src/conformance/faults.ts";
import { Report } from "../../src/conformance/report.ts";
import { exclusionOf, runCase } from "../../src/conformance/run-case.ts";
import type { BackendUnderTest } from "../../src/conformance/world.ts";
import { conformanceCases, describeBackend } from "../../src/index.ts";

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

/** What a case that ends its connections once does to one of them, in order. */
async function whatALineSuffers(fault: Fault | undefined): Promise<readonly string[]> {
  const server = createServer((socket) => void socket.resume().on("error", () => undefined)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const seen: string[] = [];
  const subject: BackendUnderTest = {
    target: () => ({ port }),
    create: ({ proxy }) => {
      assert.ok(proxy);
      let isHealing = false; // what healing calls itself does not count
      for (const name of ["cut", "stall", "resume", "loseReplies", "latency", "heal"] as const) {
        const act = proxy[name].bind(proxy) as (count?: number) => void;
        const noting = (count?: number): void => {
          if (!isHealing) seen.push(name);
          isHealing ||= name === "heal";
          act(count);
          if (name === "heal") isHealing = false;
        };
        Object.defineProperty(proxy, name, { value: noting });
      }
      const resetLater = proxy.resetLater.bind(proxy);
      const noted = (reset: () => void) => () => {
        seen.push("reset");
        reset();
      };
      Object.defineProperty(proxy, "resetLater", { value: () => noted(resetLater()) });
      return { specVersion: 1, name: "none", connect: () => Promise.reject(new Error("nobody connects")) };
    },
  };
  let suffered: readonly string[] = [];
  const breaking = one(
    async (world) => {
      await world.backend();
      world.disconnect();
      await world.until(() => seen.includes("heal"), "it is over");
      suffered = [...seen];
    },
    { breaksItself: true },
  );
  await runCase(breaking, subject, facts, fault === undefined ? {} : { fault });
  server.close();
  return suffered;
}

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

  it("lets the connections of cases that end them suffer what the fault is, first", async () => {
    for (const name of ["stall", "lost reply", "latency", "cut"]) {
      const fault = faults.find((each) => each.name === name);
      const suffered = await whatALineSuffers(fault);
      const wanted: Readonly<Record<string, readonly string[]>> = {
        stall: ["stall", "reset", "resume", "heal"],
        "lost reply": ["loseReplies", "reset", "resume", "heal"],
        latency: ["latency", "reset", "heal", "latency"],
        cut: ["cut", "heal"],
      };
      assert.deepEqual(suffered, wanted[name], name);
    }
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
    assert.equal(exclusionOf(timed, facts), "it is asked in simulated time, and its broker keeps its own");
    assert.equal(exclusionOf(timed, { capabilities, abilities: { ...abilities, hasHostClock: true } }), undefined);
    const needy = one(async () => undefined, { needs: ({ durable }) => (durable ? undefined : "it is not durable") });
    assert.equal(exclusionOf(needy, facts), "it is not durable");
  });
});

const written = async (report: Report, is: Pick<Capabilities, "durable">): Promise<Record<string, unknown>> => {
  const folder = await mkdtemp(join(tmpdir(), "halyard-report-"));
  report.write(folder, is);
  const [file = ""] = await readdir(join(folder, "guarantees"));
  const content = JSON.parse(await readFile(join(folder, "guarantees", file), "utf8")) as Record<string, unknown>;
  await rm(folder, { recursive: true });
  return { file, ...content };
};

describe("Report", () => {
  const run = async (): Promise<void> => undefined;

  it("writes what held, what did not and what was not asked", async () => {
    const report = new Report({ backend: "toy", part: "faults", variant: "with history" });
    report.pass(one(run, { promise: 2, title: "held" }), "cut");
    report.pass(one(run, { promise: 2, title: "held" }), "stall");
    report.pass(one(run, { promise: 2, title: "said no", asksRefusal: true }));
    report.of(2).kills += 3;
    report.of(1).failed++;
    report.exclude(one(run, { twin: "in real time" }), "too slow", { durable: true });
    const nothing = { passed: [], refused: [], faults: [], failed: 0, excluded: [], kills: 0 };
    assert.deepEqual(await written(report, { durable: true }), {
      file: "toy.with-history.faults.json",
      backend: "toy",
      variant: "with history",
      part: "faults",
      durable: true,
      promises: [
        { ...nothing, promise: 1, failed: 1 },
        { ...nothing, promise: 2, passed: ["held"], refused: ["said no"], faults: ["cut", "stall"], kills: 3 },
        { ...nothing, promise: 7, excluded: [{ title: "a case", reason: "too slow", twin: "in real time" }] },
      ],
    });
  });

  it("says nothing of what cannot happen to a backend, and marks what its process takes along", async () => {
    const absences: readonly NonNullable<ConformanceCase["absence"]>[] = ["gap", "moot", "moot-unless-durable", "ends-with-process"];
    const excludedWhere = async (durable: boolean): Promise<readonly unknown[]> => {
      const report = new Report({ backend: "toy", part: "direct" });
      for (const absence of absences) report.exclude({ ...one(run, { title: String(absence) }), absence }, "so", { durable });
      report.exclude(one(run, { title: "refusal", asksRefusal: true }), "so", { durable });
      const { promises } = await written(report, { durable });
      return (promises as readonly { readonly excluded: readonly unknown[] }[]).flatMap(({ excluded }) => excluded);
    };
    const gap = { title: "gap", reason: "so" };
    assert.deepEqual(await excludedWhere(false), [gap, { title: "ends-with-process", reason: "so", endsWithProcess: true }]);
    assert.deepEqual(await excludedWhere(true), [gap, { title: "moot-unless-durable", reason: "so" }, { title: "ends-with-process", reason: "so" }]);
  });
});

describe("the cases", () => {
  it("name twins that are there, of the same promise and in real time", () => {
    const timed = conformanceCases.filter(({ twin }) => twin !== undefined);
    assert.ok(timed.length > 0);
    for (const { promise, twin, isTimed } of timed) {
      assert.equal(isTimed, true);
      assert.ok(
        conformanceCases.some((other) => other.promise === promise && other.title === twin && other.isTimed !== true),
        twin,
      );
    }
  });
});
