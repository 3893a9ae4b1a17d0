/** What a person typed is wrong; the message says how to do it right. Exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
