/** Reads a message of the client as bytes: its `headers` would be parsed into a class of their own, more slowly than everything else together. */
import { type Msg, type MsgHdrs, MsgImpl } from "@nats-io/transport-node";
import { type Decoded, decodeMessage } from "./wire.ts";

const decoder = new TextDecoder();

/** The header block as text; empty without headers. */
function headOf(message: Msg): string {
  if (message instanceof MsgImpl) {
    const length = message._msg.hdr;
    const bytes = message._rdata;
    if (length <= 0) return "";
    return Buffer.isBuffer(bytes) ? bytes.toString("utf8", 0, length) : decoder.decode(bytes.subarray(0, length));
  }
  return headText(message.headers); // a message of another version of the client: the slow way
}

/** A header block that the client has parsed, as text again. */
export function headText(headers: MsgHdrs | undefined): string {
  if (headers === undefined) return "";
  let text = "NATS/1.0\r\n";
  for (const [name, values] of headers) for (const value of values) text += `${name}: ${value}\r\n`;
  return text;
}

/** `prefixLength`: what the subject has before the topic. `position` names a message that has no id. */
export function readMessage(message: Msg, prefixLength: number, position: () => string): Decoded {
  return decodeMessage(headOf(message), message.data, message.subject.slice(prefixLength), position);
}
