import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@halyard/backend-memory";
import { createBus, nonRetryable } from "@halyard/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { balance, exitStatus } from "../../document-team/balance.ts";
import { type LedgerEntry, openLedger, openWork, readLedger } from "../../document-team/ledger.ts";
import { grouped, ledgerTable } from "../../document-team/ledger-table.ts";

const published = (id: string, topic = "document.found.markdown", atMs = 1_000): LedgerEntry => ({ event: "published", id, topic, atMs });
const worked = (event: "handled" | "retried" | "dead-lettered", id: string, atMs = 2_000): LedgerEntry => ({
  event,
  id,
  topic: "document.found.markdown",
  group: "analysts",
  atMs,
});
const started = (id: string, deliveries = 1): LedgerEntry => ({
  event: "started",
  id,
  topic: "document.found.markdown",
  group: "analysts",
  deliveries,
  atMs: 1_500,
});
const processOf = (name: string, ...entries: readonly LedgerEntry[]) => ({ name, note: "", entries });

describe("the balance", () => {
  it("is even when everything accepted was handled or is a dead letter", () => {
    const reader = processOf("reader", published("a"), published("b"), published("c"));
    const analyst = processOf(
      "analyst-1",
      started("a"),
      worked("handled", "a"),
      started("b"),
      worked("dead-lettered", "b"),
      started("c"),
      worked("retried", "c"),
      started("c", 2),
      worked("handled", "c"),
    );
    const books = balance([reader, analyst], { analysts: ["b"] });
    expect(books.lost).toEqual([]);
    expect(exitStatus(books)).toBe(0);
    expect(books.total).toEqual({ published: 3, handled: 2, retried: 1, redelivered: 1, deadLettered: 1, inHand: 0 });
    expect(books).toMatchObject({ dead: 1, durationMs: 1_000, messagesPerSecond: 2 });
  });

  it("names what was accepted and never seen again, and the exit status is 1", () => {
    const books = balance([processOf("reader", published("a"), published("gone")), processOf("analyst-1", worked("handled", "a"))], {});
    expect(books.lost).toEqual([{ id: "gone", topic: "document.found.markdown" }]);
    expect(exitStatus(books)).toBe(1);
    expect(ledgerTable(books).at(-1)).toBe("  lost: gone on document.found.markdown");
    expect(ledgerTable(books).at(-2)).toContain("lost 1,");
  });

  it("does not believe a process that says dead letter when the broker has none", () => {
    const books = balance([processOf("reader", published("a")), processOf("analyst-1", worked("dead-lettered", "a"))], { analysts: [] });
    expect(books.lost).toHaveLength(1);
  });

  it("does not take what another group handled for handled", () => {
    const other: LedgerEntry = { event: "handled", id: "a", topic: "document.analysed.markdown", group: "reporters", atMs: 1 };
    expect(balance([processOf("reader", published("a")), processOf("reporter", other)], { reporters: ["a"] }).lost).toHaveLength(1);
  });

  it("counts a message once that was published again after a redelivery, and its two handler runs", () => {
    const result = "document.analysed.markdown";
    const killed = processOf("analyst-1", started("a"), published("r", result));
    const other = processOf("analyst-2", started("a", 2), published("r", result), worked("handled", "a"));
    const reporter = processOf("reporter", { event: "handled", id: "r", topic: result, group: "reporters", atMs: 3_000 });
    const books = balance([processOf("reader", published("a")), killed, other, reporter], {});
    expect(books.total).toMatchObject({ published: 2, handled: 2, redelivered: 1, inHand: 1 });
    expect(books.lost).toEqual([]);
  });

  it("counts a redriven letter as handled, although it was a dead letter before", () => {
    const analyst = processOf("analyst-1", worked("dead-lettered", "a"), worked("handled", "a"));
    expect(balance([processOf("reader", published("a")), analyst], { analysts: [] })).toMatchObject({ lost: [], dead: 0 });
  });

  it("shows at most twenty of the lost, and how many more", () => {
    const books = balance([processOf("reader", ...Array.from({ length: 25 }, (_, index) => published(`m${index}`)))], {});
    expect(ledgerTable(books).filter((line) => line.startsWith("  lost:"))).toHaveLength(20);
    expect(ledgerTable(books).at(-1)).toBe("  and 5 more");
  });

  it("groups digits the same everywhere", () => {
    expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(["0", "999", "1,000", "1,234,567"]);
  });
});

describe("a ledger file", () => {
  const file = (): string => {
    const folder = mkdtempSync(join(tmpdir(), "halyard-ledger-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return join(folder, "one.jsonl");
  };

  it("has a line for each step of a bus, written before the next one begins", async () => {
    const path = file();
    const ledger = openLedger(path);
    const bus = await createBus({ backend: memory(), middleware: [ledger.middleware], retry: { delayMs: 1 } });
    onTestFinished(() => bus.close());
    ledger.watch(bus);
    const eventsSoFar = () => readLedger(readFileSync(path, "utf8")).map(({ event }) => event);
    await bus.subscribe("work.#", { group: "workers" }, ({ payload }, { attempt }) => {
      expect(eventsSoFar().at(-1)).toBe("started");
      if (payload === "bad") throw nonRetryable("never");
      if (attempt === 1) throw new Error("again");
    });
    await bus.subscribe("work.#", () => undefined); // looks on, and is in no ledger
    await bus.publish("work.good", "good");
    await vi.waitFor(() => expect(eventsSoFar().at(-1)).toBe("handled"));
    await bus.publish("work.bad", "bad");
    await vi.waitFor(() => expect(eventsSoFar().at(-1)).toBe("dead-lettered"));
    ledger.close();
    expect(eventsSoFar().filter((event) => event !== "published")).toEqual(["started", "retried", "started", "handled", "started", "dead-lettered", "closed"]);
    expect(eventsSoFar().filter((event) => event === "published")).toHaveLength(2);
  });

  it("is read up to a line that was being written when the process died", () => {
    const path = file();
    openLedger(path).close();
    appendFileSync(path, '{"event":"publ');
    expect(readLedger(readFileSync(path, "utf8")).map(({ event }) => event)).toEqual(["closed"]);
    expect(readLedger("")).toEqual([]);
  });

  it("tells what was begun and not ended", () => {
    expect(openWork([started("a"), worked("handled", "a"), started("b"), started("c"), worked("retried", "c"), started("b", 2)])).toEqual(["b"]);
  });
});
