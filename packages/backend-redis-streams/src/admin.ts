/** The control plane: groups, what they hold, and whether the server is fit. */
import type { Admin, GroupInfo } from "@halyard/core/spi";
import type { Control } from "./control.ts";
import { defineGroup } from "./defining.ts";
import type { GroupReader } from "./group-reader.ts";
import { askFacts, warningsOf } from "./server-facts.ts";

/** Removed in one script. */
const purgeMax = 1_000;
const pingMs = 10_000;

export function adminOf(control: Control, reader: () => GroupReader | undefined): Admin {
  const { commands, scripts, settings, assertAlive } = control;
  const inspect = async (names: readonly string[]): Promise<readonly GroupInfo[]> => ((await commands.run(scripts.inspect, names)) as unknown[][]).map(infoOf);
  return {
    async ping(signal) {
      assertAlive(signal);
      // A write that memory is asked for, as publishing is.
      await commands.call("SET", `${commands.root}ping`, "1", "PX", pingMs);
    },
    async warnings(signal) {
      assertAlive(signal);
      return warningsOf(await askFacts((name, ...args) => commands.call(name, ...args)));
    },
    async defineGroup(name, { add, drop }, signal) {
      await defineGroup(control, { name, add, drop }, signal);
    },
    async removeGroup(name, signal) {
      assertAlive(signal);
      await commands.run(scripts.remove, [name]);
      reader()?.ring(name);
    },
    async purgeGroup(name, signal) {
      let total = 0;
      for (let count = purgeMax; count >= purgeMax; total += count) {
        assertAlive(signal);
        count = Number(await commands.run(scripts.purge, [name, purgeMax]));
      }
      return total;
    },
    async group(name, signal) {
      assertAlive(signal);
      return (await inspect([name]))[0];
    },
    async groups(signal) {
      assertAlive(signal);
      return inspect([]);
    },
    async topics(signal) {
      assertAlive(signal);
      if (settings.history === undefined) return undefined; // what nobody keeps nobody counts
      const topics = (await commands.call("SMEMBERS", `${commands.root}topics`)) as string[];
      const counts = await Promise.all(topics.map((topic) => commands.call("XLEN", commands.root + settings.names.topic + topic)));
      return topics.map((topic, index) => ({ topic, stored: Number(counts[index]) })).filter(({ stored }) => stored > 0);
    },
  };
}

function infoOf([name, patterns, waiting, delayed, inFlight, members]: readonly unknown[]): GroupInfo {
  return {
    name: String(name),
    patterns: String(patterns).split(" ").filter(Boolean),
    waiting: Number(waiting),
    delayed: Number(delayed),
    inFlight: Number(inFlight),
    members: Number(members),
  };
}
