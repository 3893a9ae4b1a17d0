/** The ledgers as files: reading those of all members, and keeping them beside the report, so that anybody can check the sums. */
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Balance, ProcessLedger } from "./balance.ts";
import { readLedger } from "./ledger.ts";

export async function collectLedgers(
  members: readonly { readonly name: string; readonly ledgerPath: string; readonly note: string }[],
): Promise<readonly ProcessLedger[]> {
  return Promise.all(members.map(async ({ name, note, ledgerPath }) => ({ name, note, entries: readLedger(await readFile(ledgerPath, "utf8")) })));
}

/** `ledger.txt` for people, `ledger.json` for programs, and `ledger/` with every line that they were made from. */
export async function keepLedgers(output: string, scratch: string, table: readonly string[], books: Balance): Promise<void> {
  const folder = join(output, "ledger");
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(scratch)) {
    if (name.endsWith(".jsonl") && name !== "results.jsonl") await copyFile(join(scratch, name), join(folder, name));
  }
  await writeFile(join(output, "ledger.txt"), `${table.join("\n")}\n`);
  await writeFile(join(output, "ledger.json"), `${JSON.stringify(books, undefined, 2)}\n`);
}
