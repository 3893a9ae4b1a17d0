/** Several publishes at once, answered as one: all receipts, or one error that says what became of each. */
import type { PublishOptions } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import type { PublishReceipt } from "./outgoing.ts";
import { type PublishLine, publish } from "./publish.ts";
import { asError } from "./waiting.ts";

export interface BatchItem {
  readonly topic: string;
  readonly payload: unknown;
  readonly options?: PublishOptions;
}

/** In order. Rejects with `BATCH_INCOMPLETE` if any was not accepted; `details.results` has a receipt or an error for each. */
export async function publishBatch(line: PublishLine, items: readonly BatchItem[]): Promise<readonly PublishReceipt[]> {
  if (!Array.isArray(items)) throw new HalyardError("INVALID_OPTIONS", "publishBatch takes a list: publishBatch([{ topic, payload, options }]).");
  const results = await Promise.allSettled(items.map(({ topic, payload, options }) => publish(line, undefined, topic, payload, options)));
  const receipts: PublishReceipt[] = [];
  for (const result of results) if (result.status === "fulfilled") receipts.push(result.value);
  if (receipts.length === results.length) return receipts;
  const failures = results.filter((result) => result.status === "rejected");
  throw new HalyardError("BATCH_INCOMPLETE", `${failures.length} of ${items.length} messages were not accepted: ${asError(failures[0]?.reason).message}`, {
    cause: failures[0]?.reason,
    details: { results: results.map((result) => (result.status === "fulfilled" ? { receipt: result.value } : { error: result.reason })) },
  });
}
