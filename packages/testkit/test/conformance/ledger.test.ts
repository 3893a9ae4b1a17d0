/** The books that decide whether a broker-fault case lost something must themselves lose nothing. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Books } from "../../src/conformance/broker-faults/books.ts";
import { DiskLedger } from "../../src/conformance/broker-faults/disk-ledger.ts";
import { startWorker } from "../../src/index.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halyard-ledger-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
});

function ledger(name: string): DiskLedger {
  const made = new DiskLedger(directory, name);
  onTestFinished(() => made.close());
  return made;
}

const nobody: ReadonlySet<string> = new Set();

describe("the books", () => {
  test("call lost what was accepted and neither handled nor dead, for each group by itself", () => {
    const publisher = ledger("publisher");
    for (const id of ["a", "b", "c"]) {
      publisher.note("attempted", id);
      publisher.note("accepted", id);
    }
    ledger("consumer").note("handled", "a", "g");
    const books = new Books(directory);
    expect(books.balance("g", new Set(["b"]))).toMatchObject({ attempted: 3, accepted: 3, handled: 1, dead: 1, duplicates: 0, lost: ["c"] });
    expect(books.balance("other", nobody).lost).toEqual(["a", "b", "c"]);
  });

  test("call neither what was refused nor what is unknown lost", () => {
    const publisher = ledger("publisher");
    publisher.note("refused", "a");
    publisher.note("unknown", "b");
    expect(new Books(directory).balance("g", nobody)).toMatchObject({ accepted: 0, refused: 1, unknown: 1, lost: [] });
  });

  test("count what was handled again, in whichever process, and what came again after its ack", () => {
    const first = ledger("first");
    first.note("handled", "a", "g");
    first.note("acked", "a", "g");
    const books = new Books(directory);
    expect(books.balance("g", nobody)).toMatchObject({ handled: 1, duplicates: 0, afterAck: 0 });
    const second = ledger("second");
    second.note("delivered", "a", "g");
    second.note("handled", "a", "g");
    expect(books.balance("g", nobody)).toMatchObject({ handled: 1, duplicates: 1, afterAck: 1 });
  });

  test("read on where they stopped, and wait for the end of a line", () => {
    const path = join(directory, "slow.ledger");
    appendFileSync(path, "accepted a 1 1 \nhand");
    const books = new Books(directory);
    expect(books.balance("g", nobody).lost).toEqual(["a"]);
    appendFileSync(path, "led a 2 1 g\n");
    expect(books.balance("g", nobody).lost).toEqual([]);
    expect(books.entries()).toHaveLength(2);
  });

  test("have every line that a process wrote before it was killed", async () => {
    const writer = startWorker(new URL("ledger-writer.mjs", import.meta.url), { args: [directory] });
    const { noted } = await writer.waitFor<{ noted: number }>((message) => message.noted >= 1_000);
    await writer.kill("SIGKILL");
    expect(new Books(directory).entries().length).toBeGreaterThanOrEqual(noted);
  });
});
