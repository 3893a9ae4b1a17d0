/** The public surface of `@halyard/backend-amqp`. */

export { amqp } from "./amqp.ts";
export type { AmqpNames } from "./names.ts";
export type { AmqpConnection, AmqpHistoryOptions, AmqpOptions, AmqpQueueOptions } from "./options.ts";
