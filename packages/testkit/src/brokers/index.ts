/** Real brokers for tests and demos, started and stopped by this process. Free of vitest, so that programs can use it too. */

export {};
