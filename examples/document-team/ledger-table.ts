/** The books as a table of plain text: readable without colours, in a log and in a mail. */
import type { Balance, Counts } from "./balance.ts";

const columns: readonly (readonly [string, keyof Counts])[] = [
  ["published", "published"],
  ["handled", "handled"],
  ["retried", "retried"],
  ["redelivered", "redelivered"],
  ["dead-lettered", "deadLettered"],
  ["in hand at its end", "inHand"],
];

const lostShownMax = 20;

export function ledgerTable(books: Balance): readonly string[] {
  const { processes, total } = books;
  const rows = [...processes, { ...total, name: "all together", note: "" }].map((row) => ({
    label: row.note === "" ? row.name : `${row.name} (${row.note})`,
    cells: columns.map(([, key]) => grouped(row[key])),
  }));
  const labelWidth = Math.max(...rows.map(({ label }) => label.length));
  const lineOf = (label: string, cells: readonly string[]): string =>
    [label.padEnd(labelWidth), ...cells.map((cell, index) => cell.padStart(columns[index]?.[0].length ?? 0))].join("  ");
  const header = lineOf(
    "",
    columns.map(([title]) => title),
  );
  const lines = rows.map(({ label, cells }) => lineOf(label, cells));
  const rule = "-".repeat(header.length);
  return [header, rule, ...lines.slice(0, -1), rule, ...lines.slice(-1), "", ...verdict(books)];
}

/** The line that everything is about, and what is missing if it is not good. */
function verdict({ lost, dead, total, durationMs, messagesPerSecond }: Balance): readonly string[] {
  const seconds = (durationMs / 1_000).toFixed(1);
  const line = `published ${grouped(total.published)}, handled ${grouped(total.handled)}, retried ${grouped(total.retried)}, redelivered ${grouped(total.redelivered)}, dead-lettered ${grouped(total.deadLettered)} (${grouped(dead)} left), lost ${grouped(lost.length)}, ${grouped(Math.round(messagesPerSecond))} messages/s over ${seconds} s`;
  const missing = lost.slice(0, lostShownMax).map(({ id, topic }) => `  lost: ${id} on ${topic}`);
  return [line, ...missing, ...(lost.length > lostShownMax ? [`  and ${lost.length - lostShownMax} more`] : [])];
}

/** 1234567 as 1,234,567: the same in every locale, so that programs can read it too. */
export function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}
