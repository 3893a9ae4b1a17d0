/** The public surface of `@halyard/backend-nats`. */

export {};
