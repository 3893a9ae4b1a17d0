/** A member of the team as a process: its plan stands in an environment variable. It drains and ends on SIGTERM, and when the process that started it is gone. */
import process from "node:process";
import { backends } from "./backends.ts";
import { type MemberPlan, startMember } from "./join.ts";
import { type MemberPlace, planVariable } from "./team.ts";

async function main(): Promise<void> {
  const plan = JSON.parse(process.env[planVariable] ?? "{}") as MemberPlan & { readonly place: MemberPlace };
  // Whatever this process starts in its turn has no business with it.
  delete process.env[planVariable];
  // Ctrl-C reaches every process of the terminal; when to end is for the coordinator to say.
  process.on("SIGINT", () => undefined);
  const stop = await startMember(plan, backends[plan.place.backend].backendAt(plan.place.address));
  let isEnding = false;
  const end = (): void => {
    if (isEnding) return;
    isEnding = true;
    stop().then(() => process.exit(0), fail);
  };
  process.once("SIGTERM", end);
  process.once("disconnect", end);
  if (process.connected) process.send?.("ready");
  else end();
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

main().catch(fail);
