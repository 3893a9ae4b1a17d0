/** Reads a message of the client as bytes: its `headers` would be parsed into a class of their own, more slowly than everything else together. */
import { type Msg, MsgImpl } from "@nats-io/transport-node";
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
  if (message.headers === undefined) return "";
  // A message of another version of the client: the slow way.
  let text = "NATS/1.0\r\n";
  for (const [name, values] of message.headers) for (const value of values) text += `${name}: ${value}\r\n`;
  return text;
}

/** `prefixLength`: what the subject has before the topic. `position` names a message that has no id. */
export function readMessage(message: Msg, prefixLength: number, position: () => string): Decoded {
  return decodeMessage(headOf(message), message.data, message.subject.slice(prefixLength), position);
}
