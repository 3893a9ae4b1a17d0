/** `--profile`: one run of each scenario with a processor profile of every process, printed as text. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { profileTable, selfTimes } from "./profile.ts";
import type { Scenario } from "./scenario.ts";

export interface ProfilingOptions {
  readonly seconds: number;
  /** Undefined: the first one. */
  readonly contender: string | undefined;
}

/** Functions in each list. */
const top = 25;

/** Runs one contender of the scenario once and returns one list a process. The figure in it is lower than without a profile. */
export async function profileScenario(scenario: Scenario, options: ProfilingOptions): Promise<string> {
  const contender = options.contender === undefined ? scenario.contenders[0] : scenario.contenders.find(({ name }) => name === options.contender);
  if (contender === undefined) {
    const names = scenario.contenders.map(({ name }) => name).join(", ");
    throw new Error(`${scenario.name} has no contender "${options.contender}"; it has: ${names}.`);
  }
  const profileFolder = mkdtempSync(join(tmpdir(), "halyard-profile-"));
  try {
    const { figures, messages } = await contender.measure({ warmupSeconds: 1, seconds: options.seconds, profileFolder });
    const shown = Object.entries(figures).map(([name, value]) => `${name} ${value < 100 ? value.toFixed(3) : Math.round(value)}`);
    const lists = readdirSync(profileFolder).map((file) => {
      const profile = JSON.parse(readFileSync(join(profileFolder, file), "utf8"));
      return profileTable(file.replace(".cpuprofile", ""), selfTimes(profile), { messages, top });
    });
    return [`${scenario.name}, ${contender.name}, while profiled: ${shown.join(", ")}`, ...lists].join("\n\n");
  } finally {
    rmSync(profileFolder, { recursive: true, force: true });
  }
}
