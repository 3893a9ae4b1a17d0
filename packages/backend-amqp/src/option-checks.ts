/** What every option is checked with. A message names the option, and never repeats a value that may hold a password. */
import { HalyardError } from "@halyard/core/spi";

export const invalid = (name: string, what: string): HalyardError => new HalyardError("INVALID_OPTIONS", `${name} ${what}.`, { details: { option: name } });

/** A misspelt option would silently leave another at its default. */
export function assertNames(where: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw invalid(where, "takes an object of options");
  for (const name of Object.keys(options)) if (!names.includes(name)) throw invalid(name, `is not an option of ${where}: use ${names.join(", ")}`);
}

export function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(name, `must be a whole number from ${min} to ${max}`);
}

export function text(name: string, value: unknown, mayBeEmpty = false): string {
  if (typeof value === "string" && (mayBeEmpty || value !== "")) return value;
  throw invalid(name, "must be a text");
}

/** The one value that all who say something say: the option itself and parts of URLs. `undefined` where nobody does. */
export function agreed<Value>(name: string, option: Value | undefined, parts: readonly (Value | undefined)[]): Value | undefined {
  const [first, ...others] = [option, ...parts].filter((value) => value !== undefined);
  if (others.some((other) => other !== first)) throw invalid(name, option === undefined ? "differs between the urls" : "says something else than the url");
  return first;
}
