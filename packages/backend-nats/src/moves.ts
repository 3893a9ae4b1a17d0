/** What core moves: the copy is stored and confirmed first, then the original is acked. So a crash in between gives two, never none. */
import type { WireMessage } from "@halyard/core/spi";
import { delayClassOf } from "./delays.ts";
import { letterSubject, readySubject, type Topology, waitSubject } from "./names.ts";
import type { Frame, Publisher } from "./publisher.ts";
import type { Receipt } from "./receipts.ts";
import { copyId, encodeHeaders, withinBytes } from "./wire.ts";

export interface Move {
  /** Among what core settled in one call. */
  readonly index: number;
  readonly receipt: Receipt;
  readonly message: WireMessage;
  readonly to: "inbox" | "dead-letters";
  readonly delayMs: number;
}

export interface MovesParts {
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly group: string;
  /** Largest message that the server takes, headers included. */
  readonly payloadBytesMax: () => number;
  /** Makes sure that what is stored in the class is moved when it is due. */
  ensureClass(delayClass: number): Promise<void>;
}

/** Stores the copies, confirmed. Returns those that are stored. `incarnation`: of the group, for what waits. */
export async function storeCopies(moves: readonly Move[], incarnation: string, parts: MovesParts): Promise<readonly Move[]> {
  const classes = new Set(moves.filter(({ to, delayMs }) => to === "inbox" && delayMs > 0).map(({ delayMs }) => delayClassOf(delayMs)));
  try {
    await Promise.all([...classes].map((delayClass) => parts.ensureClass(delayClass)));
  } catch {
    return []; // core tries it again, and is told if the session has ended
  }
  const statuses = await parts.publisher.send(moves.map((move) => frameOf(move, incarnation, parts)));
  return statuses === undefined ? moves : moves.filter((_, place) => (statuses[place]?.status ?? "accepted") === "accepted");
}

function frameOf({ receipt, message, to, delayMs }: Move, incarnation: string, { topology, group, payloadBytesMax }: MovesParts): Frame {
  const native = copyId(message, group, receipt.move);
  if (to === "dead-letters") {
    const headers = withinBytes(message, payloadBytesMax(), (one) => encodeHeaders(one, native, { topic: one.topic }));
    return { subject: letterSubject(topology, group), headers, body: message.body };
  }
  const wholeMs = Math.ceil(delayMs);
  const waits = wholeMs > 0 ? { delayMs: wholeMs, incarnation } : {};
  return {
    subject: wholeMs > 0 ? waitSubject(topology, delayClassOf(wholeMs), group) : readySubject(topology, group),
    headers: encodeHeaders(message, native, { topic: message.topic, ...waits }),
    body: message.body,
  };
}
