/**
 * What the reply subject of a delivered message says: `$JS.ACK.{stream}.{consumer}.{deliveries}.{stream sequence}.{consumer sequence}.{time}.{pending}`,
 * and from some servers on with domain and account before the stream, and a token more at the end.
 * https://docs.nats.io/reference/reference-protocols/nats_api_reference
 */
export interface AckSubject {
  readonly deliveries: number;
  readonly sequence: number;
  /** When the server stored it, milliseconds since 1970 on the server's clock. */
  readonly storedMs: number;
}

const nanosecondsDigits = 6;

/** `undefined`: no message of JetStream. */
export function parseAckSubject(reply: string): AckSubject | undefined {
  if (!reply.startsWith("$JS.ACK.")) return undefined;
  const words = reply.split(".");
  const first = firstNumber(words);
  if (first < 0) return undefined;
  const deliveries = Number(words[first]);
  const sequence = Number(words[first + 1]);
  const nanoseconds = words[first + 3] ?? "";
  const storedMs = Number(nanoseconds.slice(0, -nanosecondsDigits)); // the whole number does not fit into a double
  return Number.isSafeInteger(deliveries) && Number.isSafeInteger(sequence) && Number.isFinite(storedMs) ? { deliveries, sequence, storedMs } : undefined;
}

/** Stream and consumer that a message came from. */
export function placeOf(reply: string): readonly [stream: string, durable: string] {
  const words = reply.split(".");
  const first = firstNumber(words);
  return [words[first - 2] ?? "", words[first - 1] ?? ""];
}

/** Where the deliveries stand, after stream and consumer. */
function firstNumber(words: readonly string[]): number {
  return words.length === 9 ? 4 : words.length >= 11 ? 6 : -1;
}
