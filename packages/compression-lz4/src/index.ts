/** The public surface of `@halyard/compression-lz4`. */

export {};
