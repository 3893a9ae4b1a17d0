/** The public surface of `@halyard/backend-nats`. */

export type { NatsNames } from "./names.ts";
export { nats } from "./nats.ts";
export type { NatsOptions, NatsStreamOptions, NatsTls } from "./options.ts";
