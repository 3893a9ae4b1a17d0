/** The end of the demo: everybody leaves, then the books are closed, and kept beside the report, so that anybody can check the sums. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Balance, balance, type ProcessLedger } from "./balance.ts";
import { readLedger } from "./ledger.ts";
import { ledgerTable } from "./ledger-table.ts";
import type { Stage } from "./stage.ts";

/** Over what all members wrote down, the killed one too, and the dead letters that the broker still has. */
export async function closeBooks({ team, coordinator, options, screen, scratch }: Stage): Promise<Balance> {
  await team.stop();
  const deadIds = await coordinator.deadIds();
  await coordinator.close();
  const own = { name: "coordinator", ledgerPath: join(scratch, "coordinator.jsonl"), note: "" };
  const ledgers = await collectLedgers([own, ...team.members]);
  const books = balance(ledgers, deadIds);
  const table = ledgerTable(books);
  screen.say();
  for (const line of table) screen.say(line.startsWith("published") ? screen.paint(books.lost.length === 0 ? "green" : "red", line) : line);
  await keepLedgers(options.output, scratch, table, books);
  return books;
}

export async function collectLedgers(
  members: readonly { readonly name: string; readonly ledgerPath: string; readonly note: string }[],
): Promise<readonly ProcessLedger[]> {
  // Who was told to leave on its way in has written nothing.
  const written = members.filter(({ ledgerPath }) => existsSync(ledgerPath));
  return Promise.all(written.map(async ({ name, note, ledgerPath }) => ({ name, note, entries: readLedger(await readFile(ledgerPath, "utf8")) })));
}

/** `ledger.txt` for people, `ledger.json` for programs, and `ledger/` with every line that they were made from. */
async function keepLedgers(output: string, scratch: string, table: readonly string[], books: Balance): Promise<void> {
  const folder = join(output, "ledger");
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(scratch)) {
    if (name.endsWith(".jsonl") && name !== "results.jsonl") await copyFile(join(scratch, name), join(folder, name));
  }
  await writeFile(join(output, "ledger.txt"), `${table.join("\n")}\n`);
  await writeFile(join(output, "ledger.json"), `${JSON.stringify(books, undefined, 2)}\n`);
}
