/** The promises in a few words each, as the README's table says them; the numbers are those that the tests carry. */
export const promiseTitles: ReadonlyMap<number, string> = new Map([
  [1, "a publish resolves when the broker has accepted it, and never hangs"],
  [2, "order per topic; per key and across members where asked"],
  [3, "live subscriptions get every message while connected, a gap is reported; of a group one member does"],
  [4, "a group keeps its messages while nobody listens and through a restart of the broker"],
  [5, "bounded messages in flight; a slow consumer stalls nobody else"],
  [6, "an ack is final; a retry is never early, stays in its group and survives the consumer"],
  [7, "exponential backoff with jitter; what cannot succeed is not retried"],
  [8, "after the last attempt a dead letter with its diagnostics, stored before the original goes"],
  [9, "dead letters are counted, read, removed, redriven and purged; looking uses none up"],
  [10, "a killed consumer's messages come back; only the message that kills becomes a dead letter"],
  [11, "a long handler keeps its message, a hung one is timed out"],
  [12, "an expired message reaches no handler, a delayed one is never early"],
  [13, "the higher priority goes first"],
  [14, "an id published twice is accepted once; retries and redrives are never suppressed"],
  [15, "patterns match exactly, from the first message of a new topic on"],
  [16, "headers and bodies arrive as they were sent; what is too large is refused before it is sent"],
  [17, "what cannot be decoded becomes a dead letter, and the next message flows"],
  [18, "after the death of a broker or connection everything accepted is delivered or dead-lettered"],
  [19, "what is deleted on the broker is recreated, and the loss is reported"],
  [20, "close drains: nothing is lost, nothing finished comes again"],
  [21, "history is read in order, from the start, a position or a time, and by id"],
  [22, "inspect, health and metrics tell the truth"],
  [23, "nothing leaks over 100 reconnects, no rejection goes unhandled"],
  [24, "passwords never appear in errors, logs or events"],
]);

/** No backend is excused from these; the others depend on what its capabilities say. */
export const inexcusablePromises: readonly number[] = [1, 3, 5, 6, 7, 8, 9, 11, 15, 16, 17, 18, 19, 20, 22, 23, 24];
