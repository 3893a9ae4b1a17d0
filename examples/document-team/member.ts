/** A member of the team as a process: `node member.js <plan as JSON>`. It drains and ends on SIGTERM, and when the process that started it is gone. */
import process from "node:process";
import { type MemberPlan, startMember } from "./join.ts";
import { type PrivateServer, privateServer } from "./private-server.ts";

async function main(): Promise<void> {
  const plan = JSON.parse(process.argv[2] ?? "{}") as MemberPlan & { readonly server: PrivateServer };
  // Ctrl-C reaches every process of the terminal; when to end is for the coordinator to say.
  process.on("SIGINT", () => undefined);
  const stop = await startMember(plan, privateServer(plan.server));
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
