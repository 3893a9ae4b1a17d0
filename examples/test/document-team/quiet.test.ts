import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@halyard/backend-memory";
import { expect, it, onTestFinished } from "vitest";
import { joinBus } from "../../document-team/join.ts";
import type { LedgerEntry } from "../../document-team/ledger.ts";
import { QuietWatch } from "../../document-team/quiet.ts";
import { groups, type TeamBus } from "../../document-team/topics.ts";

type Numbers = Partial<Record<"waiting" | "delayed" | "inFlight", number>>;

const document = { path: "/a.md", name: "a.md", kind: "markdown", bytes: 1, bytesMax: 10, isDamaged: false } as const;
const listsNothing = async () => Object.fromEntries(Object.keys(groups).map((name) => [name, []]));

/** A bus over memory whose broker says only what is given, of every group. */
async function teamWith(numbers: () => Numbers): Promise<{ readonly bus: TeamBus; readonly watched: TeamBus; readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "halyard-quiet-test-"));
  const { bus, ledger } = await joinBus("coordinator", join(folder, "coordinator.jsonl"), memory());
  onTestFinished(async () => {
    await bus.close();
    ledger.close();
    rmSync(folder, { recursive: true });
  });
  const said = async (name: string) => ({ name, patterns: [], members: 1, waiting: undefined, delayed: undefined, inFlight: undefined, ...numbers() });
  const watched: TeamBus = Object.create(bus, { groups: { value: { ...bus.groups, get: said } } });
  return { bus, watched, folder };
}

/** Looks until the answer is there: ledgers are not read at every look. */
async function soon(watch: QuietWatch, isQuiet: boolean): Promise<void> {
  await expect.poll(() => watch.isQuiet(), { timeout: 5_000, interval: 20 }).toBe(isQuiet);
}

it("believes a broker that says everything", async () => {
  let waiting = 0;
  const { bus, watched, folder } = await teamWith(() => ({ waiting, delayed: 0, inFlight: 0 }));
  const watch = new QuietWatch({ bus: watched, folder, deadIds: listsNothing });
  await bus.groups.define("analysts", { add: groups.analysts });
  await bus.publish("document.found.markdown", document);
  expect(await watch.isQuiet()).toBe(true);
  waiting = 1;
  expect(await watch.isQuiet()).toBe(false);
});

it.each(["delayed", "inFlight"] as const)("is not quiet while something is in hand or delayed: %s", async (name) => {
  const { watched, folder } = await teamWith(() => ({ waiting: 0, [name]: 1 }));
  expect(await new QuietWatch({ bus: watched, folder, deadIds: listsNothing }).isQuiet()).toBe(false);
});

it("asks the ledgers what a broker does not say: handled by a member that is gone, or a dead letter", async () => {
  const { bus, watched, folder } = await teamWith(() => ({ waiting: 0 }));
  let deadIds: readonly string[] = [];
  const watch = new QuietWatch({ bus: watched, folder, deadIds: async () => ({ ...(await listsNothing()), analysts: deadIds }) });
  await bus.groups.define("analysts", { add: groups.analysts });
  await bus.publish("document.found.markdown", document, { id: "one" });
  await bus.publish("document.found.markdown", document, { id: "two" });
  for (let look = 0; look < 30; look++) {
    expect(await watch.isQuiet()).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const handled: LedgerEntry = { event: "handled", id: "one", topic: "document.found.markdown", group: "analysts", atMs: 1 };
  appendFileSync(join(folder, "analyst-1.jsonl"), `${JSON.stringify(handled)}\n`);
  expect(await watch.isQuiet()).toBe(false);
  deadIds = ["two"];
  await soon(watch, true);
});
