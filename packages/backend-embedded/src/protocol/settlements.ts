/** Settlements of one frame: runs of one outcome, in order. Receipts are numbers that mostly follow each other, so each is written as its difference. */
import type { Outcome, Settlement, WireMessage } from "@halyard/core/spi";
import type { ByteReader } from "./byte-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { outcomes } from "./frames.ts";
import type { MessageReader } from "./message-reader.ts";
import { writeMessage } from "./message-writer.ts";
import { violation } from "./violation.ts";

const ack: Outcome = Object.freeze({ type: "ack" });
const release: Outcome = Object.freeze({ type: "release" });

/** Receipts of this package are the numbers that the server gave. */
export function receiptNumber(receipt: unknown): number {
  return typeof receipt === "number" ? receipt : 0;
}

export function writeSettlements(writer: FrameWriter, settlements: readonly Settlement[]): void {
  let last = 0;
  for (let index = 0; index < settlements.length; ) {
    const outcome = settlements[index]?.outcome ?? release;
    const end = outcome.type === "move" ? index + 1 : endOfRun(settlements, index, outcome.type);
    writer.u8(
      outcome.type === "ack" ? outcomes.ack : outcome.type === "release" ? outcomes.release : outcome.to === "inbox" ? outcomes.inbox : outcomes.deadLetters,
    );
    if (outcome.type !== "move") writer.varint(end - index);
    for (; index < end; index++) {
      const receipt = receiptNumber(settlements[index]?.receipt);
      writer.difference(receipt - last);
      last = receipt;
    }
    if (outcome.type === "move") {
      writer.f64(outcome.delayMs);
      writeMessage(writer, outcome.message);
    }
  }
}

function endOfRun(settlements: readonly Settlement[], start: number, type: Outcome["type"]): number {
  let end = start + 1;
  while (end < settlements.length && settlements[end]?.outcome.type === type) end++;
  return end;
}

/** Calls `add` for each settlement, in order. @throws PROTOCOL_ERROR */
export function readSettlements(reader: ByteReader, messages: MessageReader, add: (receipt: number, outcome: Outcome) => void): void {
  let last = 0;
  while (!reader.isAtEnd) {
    const type = reader.u8();
    if (type === outcomes.ack || type === outcomes.release) {
      const outcome = type === outcomes.ack ? ack : release;
      const count = reader.varint();
      if (count > reader.end - reader.position) throw violation("more receipts announced than the frame holds");
      for (let index = 0; index < count; index++) {
        last += reader.difference();
        add(last, outcome);
      }
    } else if (type === outcomes.inbox || type === outcomes.deadLetters) {
      last += reader.difference();
      const delayMs = reader.f64();
      if (!(delayMs >= 0)) throw violation("a delay that is no number from 0");
      add(last, { type: "move", to: type === outcomes.inbox ? "inbox" : "dead-letters", message: readOne(reader, messages), delayMs });
    } else throw violation("an unknown outcome");
  }
}

export function readOne(reader: ByteReader, messages: MessageReader): WireMessage {
  const [message] = messages.readEncoded(reader.bytes, reader.position, reader.end, 1);
  if (message === undefined) throw violation("a message that is missing");
  reader.position = messages.position;
  return message;
}
