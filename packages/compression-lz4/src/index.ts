/** The public surface of `@halyard/compression-lz4`. */
export { lz4 } from "./compressor.ts";
