/** The public surface of `@halyard/backend-redis-streams`. */

export {};
