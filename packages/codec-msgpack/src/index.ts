/** The public surface of `@halyard/codec-msgpack`. */
export { msgpack } from "./codec.ts";
export type { MsgpackExtension, MsgpackOptions } from "./options.ts";
