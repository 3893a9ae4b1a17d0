/**
 * Checks what users say to a factory such as `nats()`: a table with one rule for each option, which the compiler compares with the interface, so that no
 * option is forgotten and none that is misspelt passes in silence.
 *
 * All that is refused is `INVALID_OPTIONS`, named with the way out. Texts are never shown: the one in the wrong place may be the password.
 */
import type { ConnectionOptions } from "node:tls";
import { HalyardError } from "../errors.ts";

/** Returns the value where it is fit, throws `invalidOption` where it is not. `name` is where it stands, such as `history.maxAgeMs`. */
export type OptionRule<Value> = (name: string, value: unknown) => Value;

/** One rule for each option of an interface. */
export type OptionRules<Options> = { readonly [Name in keyof Options]-?: OptionRule<Exclude<Options[Name], undefined>> };

/**
 * The error for an option; `text` follows its name and ends without a full stop.
 *
 * @example throw invalidOption("port", "must be a whole number from 1 to 65535");
 */
export function invalidOption(name: string, text: string): HalyardError {
  return new HalyardError("INVALID_OPTIONS", `${name} ${text}.`, { details: { option: name } });
}

/**
 * Checks an object of options, each by its rule. What is `undefined` counts as not given.
 *
 * @param place - what the options belong to, for errors: `nats()`
 * @throws INVALID_OPTIONS
 */
export function readOptions<Options extends object>(place: string, given: unknown, rules: OptionRules<Options>, prefix = ""): Options {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw invalidOption(place, "takes an object of options");
  const byName: Readonly<Record<string, OptionRule<unknown>>> = rules;
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(byName, name) ? byName[name] : undefined;
    if (rule === undefined) throw invalidOption(prefix + name, `is not an option of ${place}: use ${Object.keys(rules).join(", ")}`);
    if (value !== undefined) checked[name] = rule(prefix + name, value);
  }
  return checked as Options; // each value went through the rule of its name
}

/** An object of options inside of others. */
export function objectOf<Options extends object>(rules: OptionRules<Options>): OptionRule<Options> {
  return (name, value) => readOptions(name, value, rules, `${name}.`);
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionRule<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (name, value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw invalidOption(name, `must be a whole number ${range}`);
  };
}

/** A text that is not empty, and of this form; `hint` says the form in words. */
export function text(form: RegExp = /./s, hint = "must be a text that is not empty"): OptionRule<string> {
  return (name, value) => {
    if (typeof value === "string" && form.test(value)) return value;
    throw invalidOption(name, hint);
  };
}

/** One of these words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): OptionRule<Word> {
  return (name, value) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw invalidOption(name, `must be ${words.map((word) => `"${word}"`).join(" or ")}`);
  };
}

/** A list of at least one, and at most `max`. */
export function listOf<Item>(rule: OptionRule<Item>, max: number = Number.POSITIVE_INFINITY): OptionRule<readonly Item[]> {
  const range = max === Number.POSITIVE_INFINITY ? "at least one" : `1 to ${max}`;
  return (name, value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > max) throw invalidOption(name, `must be a list of ${range}`);
    return value.map((item, index) => rule(`${name}[${index}]`, item));
  };
}

/** A function; what it takes and returns is only known when it is called. */
export function functionOf<Shape>(what: string): OptionRule<Shape> {
  return (name, value) => {
    if (typeof value === "function") return value as Shape; // as said above
    throw invalidOption(name, `must be ${what}`);
  };
}

/** The part of Node's TLS options that a client needs. Verification cannot be switched off. */
export type ClientTls = Pick<ConnectionOptions, "ca" | "cert" | "key" | "passphrase" | "pfx" | "servername" | "minVersion" | "ciphers">;

/** `{}` trusts the usual authorities. Values are checked by Node when it connects. */
export const clientTls: OptionRule<ClientTls> = (name, value) => {
  if (typeof value === "object" && value !== null && ("rejectUnauthorized" in value || "checkServerIdentity" in value))
    throw invalidOption(name, `verification cannot be switched off: give ${name}.ca the certificate of the authority that signed the broker's`);
  return readOptions(name, value, tlsRules, `${name}.`);
};

const asGiven = <Value>(_: string, value: unknown): Value => value as Value; // Node says what is wrong with it
const tlsRules: OptionRules<ClientTls> = {
  ca: asGiven,
  cert: asGiven,
  key: asGiven,
  passphrase: asGiven,
  pfx: asGiven,
  servername: asGiven,
  minVersion: asGiven,
  ciphers: asGiven,
};
