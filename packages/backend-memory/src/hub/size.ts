import type { WireMessage } from "@halyard/core/spi";

/** Counts what a message holds: body and headers. What all messages cost alike (fields, ids) is bounded by `messagesMax`. */
export class MessageSize {
  /** Most publishers share one headers object (none at all); walking it again for each message would cost more than all other accounting. */
  #lastHeaders: Readonly<Record<string, string>> | undefined = undefined;
  #lastBytes = 0;

  of(message: WireMessage): number {
    const headers = message.headers;
    if (headers !== this.#lastHeaders) {
      this.#lastHeaders = headers;
      this.#lastBytes = headersBytes(headers);
    }
    return message.body.byteLength + this.#lastBytes;
  }
}

/** Two bytes a character: what a string costs at most in memory. */
function headersBytes(headers: Readonly<Record<string, string>>): number {
  let characters = 0;
  for (const name in headers) characters += name.length + (headers[name]?.length ?? 0);
  return characters * 2;
}
