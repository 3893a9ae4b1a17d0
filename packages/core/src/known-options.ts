/** Refuses options that do not exist: one that is misspelt would otherwise be left out without a word. */
import { HalyardError } from "./errors.ts";
import { shown } from "./topic.ts";

/**
 * `call` is what the user wrote, for the error: `createBus`. What is `undefined` counts as given: its name is still wrong.
 *
 * @throws INVALID_OPTIONS
 */
export function assertKnownOptions(call: string, given: object, known: ReadonlySet<string>): void {
  if (typeof given !== "object" || given === null) throw new HalyardError("INVALID_OPTIONS", `${call} takes an object of options, not ${shown(given)}.`);
  // No list of names is made: this runs once for each publish that has options.
  for (const name in given) {
    if (!known.has(name)) throw new HalyardError("INVALID_OPTIONS", `${call} has no option ${shown(name)}. Known: ${[...known].join(", ")}.`);
  }
}
