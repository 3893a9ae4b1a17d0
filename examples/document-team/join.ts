/** Joining the team: a bus with a ledger, and the work that belongs to a role. The same in a process of its own and inside one process. */
import { type Backend, createBus } from "@halyard/core";
import { startAnalyst } from "./analyst.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { startReader } from "./reader.ts";
import { startReporter } from "./reporter.ts";
import { type TeamBus, topics } from "./topics.ts";

export type Role = "reader" | "analyst" | "reporter";

/** What a member needs to know; plain data, since it travels to another process. */
export interface MemberPlan {
  readonly role: Role;
  readonly name: string;
  readonly ledgerPath: string;
  readonly resultsPath: string;
  readonly flakyPercent: number;
}

/** How long a broker is waited for that does not answer: somebody looks on. */
const startTimeoutMs = 15_000;

/** How long a member may take to finish what it has begun. */
const closeTimeoutMs = 10_000;

export async function joinBus(name: string, ledgerPath: string, backend: Backend): Promise<{ readonly bus: TeamBus; readonly ledger: Ledger }> {
  const ledger = openLedger(ledgerPath);
  const bus = await createBus({
    backend,
    topics,
    namespace: "document-team",
    source: name,
    middleware: [ledger.middleware],
    retry: { delayMs: 100 },
    limits: { closeTimeoutMs, startTimeoutMs },
  });
  ledger.watch(bus);
  return { bus, ledger };
}

/** Resolves when the member takes part; what it returns drains it: what runs is finished, what has not begun goes back to the others. */
export async function startMember(plan: MemberPlan, backend: Backend): Promise<() => Promise<void>> {
  const { bus, ledger } = await joinBus(plan.name, plan.ledgerPath, backend);
  if (plan.role === "reader") await startReader(bus);
  else if (plan.role === "analyst") await startAnalyst(bus, plan);
  else await startReporter(bus, plan);
  return async () => {
    await bus.close();
    ledger.close();
  };
}
