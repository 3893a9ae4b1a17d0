/** Results of analysts, for the tests of what is made from them. */
import { analyse } from "../../document-team/analyse.ts";
import type { Result } from "../../document-team/topics.ts";

export function resultOf(name: string, text: string, more: Partial<Result> = {}): Result {
  return {
    documentId: `found:${name}`,
    name,
    kind: "markdown",
    bytes: Buffer.byteLength(text),
    isDamaged: false,
    analyst: "analyst-1",
    attempt: 1,
    deliveries: 1,
    analysis: analyse(text, "markdown"),
    ...more,
  };
}
