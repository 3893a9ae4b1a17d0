/** Answers that are more than a line: statuses of a batch that was not simply accepted, and pages of messages. */
import type { PublishStatus, WireMessage } from "@halyard/core/spi";
import type { FrameWriter } from "../protocol/frame-writer.ts";
import { entryFlags, fromServer, pageFlags, statusFlags } from "../protocol/frames.ts";
import type { Link } from "../protocol/link.ts";
import { writeMessage } from "../protocol/message-writer.ts";
import { toWireError } from "../protocol/wire-error.ts";

/** A part of a page is closed when it has grown to this. */
const partBytesMax = 64 * 1024;

export function writeStatuses(writer: FrameWriter, id: number, statuses: readonly PublishStatus[]): void {
  writer.begin(fromServer.statuses);
  writer.u32(id);
  writer.u32(statuses.length);
  let lastError: Error | undefined;
  for (const status of statuses) {
    if (status.status === "accepted") {
      const { position, duplicate } = status;
      writer.u8((duplicate === true ? statusFlags.duplicate : 0) | (position === undefined ? 0 : statusFlags.position));
      if (position !== undefined) writer.text8(position);
      continue;
    }
    // A full backend refuses a whole batch with one error: it is written once.
    const isSame = status.error === lastError;
    writer.u8((status.status === "refused" ? statusFlags.refused : statusFlags.unknown) | (isSame ? statusFlags.sameError : 0));
    if (!isSame) writer.text32(JSON.stringify(toWireError(status.error)));
    lastError = status.error;
  }
  writer.end();
}

export interface Entry {
  readonly message: WireMessage;
  readonly position: string | undefined;
}

/** Writes a page in parts, each as soon as the client has taken those before. Resolves when all is written or the link is over. */
export async function writePageParts(link: Link, id: number, entries: readonly (Entry | undefined)[], flags: number): Promise<void> {
  const { writer } = link;
  let index = 0;
  do {
    if (link.isFull) await link.drained();
    if (link.isOver) return;
    writer.begin(fromServer.page);
    writer.u32(id);
    const flagsAt = writer.frameBytes;
    writer.u8(flags);
    try {
      while (index < entries.length && writer.frameBytes < partBytesMax) writeEntry(writer, entries[index++]);
    } catch (error) {
      writer.cancel();
      throw error;
    }
    if (index >= entries.length) writer.bytes[writer.position - writer.frameBytes + flagsAt] = flags | pageFlags.last;
    writer.end();
  } while (index < entries.length);
}

function writeEntry(writer: FrameWriter, entry: Entry | undefined): void {
  if (entry === undefined) {
    writer.u8(0);
    return;
  }
  const { message, position } = entry;
  writer.u8(entryFlags.message | (position === undefined ? 0 : entryFlags.position));
  if (position !== undefined) writer.text8(position);
  writeMessage(writer, message);
}
