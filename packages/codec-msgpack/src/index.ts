/** The public surface of `@halyard/codec-msgpack`. */

export {};
