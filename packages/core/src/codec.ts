/** Turns payloads into bytes and back. Chosen on the way out by option, on the way in by the message's own content type. */
export interface Codec {
  /** Short name for options and metrics, e.g. `"json"`. */
  readonly name: string;
  /** Media type written to the message, e.g. `"application/json"`; on the way in, parameters after `;` are ignored. */
  readonly contentType: string;
  /** Throws where the payload cannot be represented without change. */
  encode(payload: unknown): Uint8Array;
  /** Throws where the bytes are not valid. Must be bounded in time and memory for any input. */
  decode(bytes: Uint8Array): unknown;
}
