/** The reader: is given a folder, finds the documents in it and tells the analysts about each. */
import { createHash } from "node:crypto";
import type { Message } from "@halyard/core";
import { type FoundDocument, findDocuments } from "./documents.ts";
import type { FolderGiven, TeamBus, TeamContext } from "./topics.ts";

/** Publishes that wait for acceptance at once: enough to travel in batches, few enough to hold in memory. */
const publishesMax = 256;

export async function startReader(bus: TeamBus): Promise<void> {
  await bus.subscribe("folder.given", { group: "readers" }, readFolder);
}

async function readFolder({ id, payload }: Message<FolderGiven>, context: TeamContext): Promise<void> {
  const { folder } = payload;
  const { documents, unreadable } = await findDocuments(folder);
  for (let from = 0; from < documents.length; from += publishesMax) {
    const batch = documents.slice(from, from + publishesMax);
    await Promise.all(batch.map((document) => tellAnalysts(id, document, payload, context)));
    if (context.signal.aborted) throw new Error("The reader was asked to stop before it had read the whole folder.");
  }
  await context.publish("folder.read", { folder, documents: documents.length, unreadable }, { id: `read:${id}` });
}

/** The id is made from the task's and the path: should the folder be read twice, because a reader died over it, each document is still one message. */
async function tellAnalysts(
  taskId: string,
  { path, name, kind, bytes }: FoundDocument,
  { label, isDamaged, bytesMax }: FolderGiven,
  context: TeamContext,
): Promise<void> {
  const payload = { path, name: label === "" ? name : `${label}/${name}`, kind, bytes, bytesMax, isDamaged };
  await context.publish(`document.found.${kind}`, payload, { id: `found:${taskId}:${digest(path)}` });
}

function digest(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 32);
}
