/** Makes bytes smaller and back. Named in the message's content encoding. */
export interface Compressor {
  /** Content-encoding token, e.g. `"gzip"`. */
  readonly name: string;
  compress(bytes: Uint8Array): Uint8Array;
  /** Throws where the input is damaged or the output would exceed `bytesMax`, before allocating it. */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}
