/**
 * What all contenders carry: an object as agents exchange them, with numbers, short texts, a list and one longer text. Its JSON has exactly
 * the stated size, and every message has a number of its own, so that what was lost or came twice is seen at the end of every run.
 */

/** A task as one agent would hand it to another. */
export interface Payload {
  /** Position in the run, plus `firstNumber`. */
  readonly n: number;
  readonly task: string;
  readonly agent: string;
  readonly path: string;
  readonly tags: readonly string[];
  readonly words: number;
  readonly text: string;
}

/** Numbers start here: they have eight digits in every run that writes them as JSON, so that all messages have the same size. */
export const firstNumber = 10_000_000;

/** Most messages of one run: what a bare emitter does with payloads by reference in half a minute. */
export const messagesMax = 2 ** 30;

/** Makes the function that makes the payload of message `index`; its JSON has `payloadBytes` bytes. Throws where that is too little for the other fields. */
export function payloadFactory(payloadBytes: number): (index: number) => Payload {
  const withText = (index: number, text: string): Payload => ({
    n: firstNumber + index,
    task: "analyse",
    agent: "analyst-07",
    path: "docs/guides/getting-started.md",
    tags: ["markdown", "guide"],
    words: 1834,
    text,
  });
  const otherBytes = JSON.stringify(withText(0, "")).length;
  if (payloadBytes < otherBytes) throw new Error(`A payload has at least ${otherBytes} bytes of JSON, ${payloadBytes} is too little.`);
  const words = "agents hand their work to one another and nothing of it may be lost on the way ";
  const text = words.repeat(Math.ceil(payloadBytes / words.length)).slice(0, payloadBytes - otherBytes);
  return (index) => withText(index, text);
}
