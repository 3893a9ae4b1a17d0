/** An analyst: one of a group that shares the documents. It reads a document, analyses it and tells the reporter what it found. */
import { open } from "node:fs/promises";
import { type Message, nonRetryable } from "@halyard/core";
import { analyse, textOf, UnreadableDocument } from "./analyse.ts";
import type { DocumentFound, TeamBus, TeamContext } from "./topics.ts";

export interface AnalystOptions {
  /** Share of documents whose first attempt fails, so that retries can be seen. */
  readonly flakyPercent: number;
}

/** Documents at once: while one is read from disk the other is analysed. */
const concurrency = 2;

export async function startAnalyst(bus: TeamBus, options: AnalystOptions): Promise<void> {
  await bus.subscribe("document.found.*", { group: "analysts", concurrency }, (message, context) => analyseDocument(message, context, options));
}

async function analyseDocument({ id, payload }: Message<DocumentFound>, context: TeamContext, { flakyPercent }: AnalystOptions): Promise<void> {
  if (context.attempt === 1 && isUnlucky(id, flakyPercent)) throw new Error("The analyst's dictionary did not answer (simulated, see --flaky).");
  const { path, bytesMax, ...document } = payload;
  try {
    const bytes = await readDocument(path, bytesMax);
    const analysis = analyse(textOf(bytes), document.kind);
    const result = { ...document, bytes: bytes.byteLength, documentId: id, analysis };
    const headers = { attempt: String(context.attempt), deliveries: String(context.deliveries) };
    // Redelivered after a kill, the document is analysed again and the result published again, under the same id: it is one result.
    await context.publish(`document.analysed.${document.kind}`, result, { id: `analysed:${id}`, headers });
  } catch (error) {
    // Trying again does not make an unreadable document readable: straight to the dead letters. Anything else is retried.
    throw error instanceof UnreadableDocument ? nonRetryable(error) : error;
  }
}

/** The size is asked of the open file, and no more than that is read: it may have grown since the reader saw it. */
async function readDocument(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await open(path).catch((error: unknown) => Promise.reject(asUnreadable(error)));
  try {
    const { size } = await file.stat();
    if (size > bytesMax) throw new UnreadableDocument("TOO_LARGE", `The document has ${size} bytes, the limit is ${bytesMax} (--max-bytes).`);
    const buffer = Buffer.alloc(size);
    const { bytesRead } = await file.read(buffer, 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function asUnreadable(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return new UnreadableDocument("NOT_ACCESSIBLE", "The document is gone: it was there when the reader looked.");
  if (code === "EACCES" || code === "EPERM") return new UnreadableDocument("NOT_ACCESSIBLE", "This user may not read the document.");
  return error;
}

/** The same documents in every run: ids come from paths and are as good as random. */
function isUnlucky(id: string, percent: number): boolean {
  return Number.parseInt(id.slice(-6), 16) % 100 < percent;
}
