/** Reads the URL of a broker. Errors never repeat it: there may be a password in it. */
import { invalidOption } from "./options.ts";

/** What a URL says; `undefined` where it says nothing. Everything is decoded. */
export interface UrlParts {
  /** Without the colon. */
  readonly protocol: string;
  /** Without the brackets of an IPv6 address. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Without the slash at its beginning. */
  readonly path: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
}

export interface UrlForm {
  /** Without colons. */
  readonly protocols: readonly string[];
  /** For errors: `redis://user:password@host:6379`. */
  readonly example: string;
  /** Parameters that are read. All others are refused, since they would be ignored. */
  readonly parameters?: readonly string[];
}

/**
 * Reads a URL of this form. Ports are from 1 to 65,535; a `%` that is no escape, a fragment and unknown parameters are refused.
 *
 * @throws INVALID_OPTIONS
 */
export function readUrl(name: string, value: unknown, { protocols, example, parameters = [] }: UrlForm): UrlParts {
  // URL would drop line breaks in silence.
  const url = typeof value === "string" && !/\s/.test(value) && URL.canParse(value) ? new URL(value) : undefined;
  const protocol = url?.protocol.slice(0, -1) ?? "";
  if (url === undefined || !protocols.includes(protocol)) throw invalidOption(name, `must look like ${example}`);
  if (url.hash !== "") throw invalidOption(name, "has a # in it: write # as %23");
  for (const parameter of url.searchParams.keys()) {
    const known = parameters.length === 0 ? "give it as an option beside the url, and write ? as %3F" : `use ${parameters.join(", ")} only`;
    if (!parameters.includes(parameter)) throw invalidOption(name, `has a parameter that nobody reads: ${known}`);
  }
  const decoded = (part: string): string | undefined => {
    try {
      return part === "" ? undefined : decodeURIComponent(part);
    } catch {
      throw invalidOption(name, "has a % that is no escape: write % as %25");
    }
  };
  const port = url.port === "" ? undefined : Number(url.port);
  if (port === 0) throw invalidOption(name, "must have a port from 1 to 65535");
  return {
    protocol,
    host: decoded(url.hostname)?.replace(/^\[(.*)\]$/, "$1"),
    port,
    username: decoded(url.username),
    password: decoded(url.password),
    path: decoded(url.pathname.replace(/^\//, "")),
    parameters: new Map(url.searchParams),
  };
}

/**
 * What URL and options say together: either may say it, or both the same.
 *
 * @throws INVALID_OPTIONS
 */
export function agreed<Value>(name: string, inUrl: Value | undefined, given: Value | undefined): Value | undefined {
  if (inUrl !== undefined && given !== undefined && inUrl !== given) throw invalidOption(name, "is said otherwise by the url: say it once");
  return given ?? inUrl;
}
