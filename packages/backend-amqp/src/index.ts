/** The public surface of `@halyard/backend-amqp`. */

export {};
