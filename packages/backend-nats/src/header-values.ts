/**
 * Header values on the wire. NATS carries bytes, so any Unicode passes; but line breaks end a header, and clients trim spaces at both ends. Such values are
 * percent-encoded, and the header `halyard-encoded` names those that are. All others travel as they are, percent signs included.
 */

/** Names of the headers whose values are percent-encoded, joined by commas. */
export const encodedNames = "halyard-encoded";

/** What `trim` takes away at the ends, and what ends a header, or might for some client: control characters and Unicode's own line ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const needsEncoding = /^\s|\s$|[\u0000-\u001f\u007f\u0085\u2028\u2029\ufeff]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const characters = /[%\u0000-\u0020\u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]/gu;

export const mustEncode = (value: string): boolean => needsEncoding.test(value);

/** Inner spaces stay readable; only what must be is replaced. */
export function encodeValue(value: string): string {
  const last = value.length - 1;
  return value.replace(characters, (character, index: number) => (character === " " && index > 0 && index < last ? character : encodeURIComponent(character)));
}

/** The value as it was; what is no valid encoding (written by another program) stays as it is. */
export function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
