/**
 * The grammar of every name that users choose, safe on each broker. It is checked once, at the call: subjects, routing keys and Redis keys are
 * built from these words, so what passes here can inject nothing (line breaks, wildcards, separators).
 *
 * Checks walk character codes instead of using regular expressions: they run once per published message.
 */
import { HalyardError } from "./errors.ts";

export const topicBytesMax = 255;
export const topicWordsMax = 16;
const dot = 46;

/** `[A-Za-z0-9_-]` */
function isWordCode(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 45 || code === 95;
}

/** 1–255 bytes, at most 16 words of `[A-Za-z0-9_-]` joined by single dots. */
export function isTopic(text: string): boolean {
  const length = text.length;
  if (length === 0 || length > topicBytesMax) return false;
  let words = 1;
  let wordLength = 0;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code === dot) {
      if (wordLength === 0) return false;
      words++;
      wordLength = 0;
    } else if (isWordCode(code)) wordLength++;
    else return false;
  }
  return wordLength > 0 && words <= topicWordsMax;
}

const namespaceForm = /^[a-z0-9-]{1,32}$/;
const groupForm = /^[A-Za-z0-9_-]{1,64}$/;
const idForm = /^[A-Za-z0-9._:/-]{1,128}$/;
const headerForm = /^[a-z0-9_-]{1,64}$/;

export const isNamespace = (text: string): boolean => namespaceForm.test(text);
export const isGroupName = (text: string): boolean => groupForm.test(text);
export const isMessageId = (text: string): boolean => idForm.test(text);
export const isHeaderName = (text: string): boolean => headerForm.test(text);

/** @throws INVALID_TOPIC */
export function assertTopic(topic: string): void {
  if (typeof topic === "string" && isTopic(topic)) return;
  throw new HalyardError(
    "INVALID_TOPIC",
    `${shown(topic)} is not a topic: use 1 to ${topicWordsMax} words of A-Z a-z 0-9 _ - joined by single dots, ${topicBytesMax} characters at most.`,
  );
}

/** As `assertTopic`, and remembers the last one: most publishers say the same topic again and again, and walking its characters takes 50 ns. */
export function topicCheck(): (topic: string) => void {
  let last: string | undefined;
  return (topic) => {
    if (topic === last && last !== undefined) return;
    assertTopic(topic);
    last = topic;
  };
}

/** @throws INVALID_GROUP */
export function assertGroupName(name: string): void {
  if (typeof name === "string" && isGroupName(name)) return;
  throw new HalyardError("INVALID_GROUP", `${shown(name)} is not a group name: use 1 to 64 of A-Z a-z 0-9 _ -.`);
}

/** @throws INVALID_NAMESPACE */
export function assertNamespace(name: string): void {
  if (typeof name === "string" && isNamespace(name)) return;
  throw new HalyardError("INVALID_NAMESPACE", `${shown(name)} is not a namespace: use 1 to 32 of a-z 0-9 -.`);
}

/** @throws INVALID_ID */
export function assertMessageId(id: string): void {
  if (typeof id === "string" && isMessageId(id)) return;
  throw new HalyardError("INVALID_ID", `${shown(id)} is not a message id: use 1 to 128 of A-Z a-z 0-9 . _ : / -.`);
}

/** What JSON leaves as it is and some viewers break lines at, or take as a command: DEL, the C1 controls and Unicode's own separators. */
const unprintable = /[\u007f-\u009f\u2028\u2029]/g;

/** Any value as one short printable line: names from outside reach logs only this way, so they cannot forge a line. */
export function shown(value: unknown): string {
  const json =
    typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? Object.prototype.toString.call(value) : JSON.stringify(String(value));
  const text = json.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
