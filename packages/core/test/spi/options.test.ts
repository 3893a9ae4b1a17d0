import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { isHalyardError } from "../../src/errors.ts";
import { type ClientTls, clientTls, functionOf, listOf, type OptionRules, objectOf, oneOf, readOptions, text, whole } from "../../src/spi/options.ts";

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly confirm?: "stored" | "replicated";
  readonly history?: { readonly maxAgeMs?: number };
  readonly nodes?: readonly { readonly host: string }[];
  readonly urls?: readonly string[];
  readonly name?: (group: string) => string;
  readonly tls?: ClientTls;
}

const rules: OptionRules<Options> = {
  host: text(),
  port: whole(1, 65_535),
  confirm: oneOf("stored", "replicated"),
  history: objectOf({ maxAgeMs: whole(1) }),
  nodes: listOf(objectOf({ host: text(/^\S+$/, "must be a host") })),
  urls: listOf(text(), 2),
  name: functionOf("a function that makes a name"),
  tls: clientTls,
};

const read = (given: unknown): Options => readOptions("broker()", given, rules);

function refusal(given: unknown): string {
  try {
    read(given);
  } catch (error) {
    expect(isHalyardError(error, "INVALID_OPTIONS")).toBe(true);
    expect(inspect(error, { depth: 8 })).not.toContain("hidden-word");
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

describe("readOptions", () => {
  it("returns what is fit, and takes undefined for missing", () => {
    const name = (group: string): string => group;
    const given = { host: "a", port: 1, confirm: "stored", history: { maxAgeMs: 1 }, nodes: [{ host: "b" }], urls: ["c", "d"], name, tls: { servername: "c" } };
    expect(read(given)).toEqual(given);
    expect(read({})).toEqual({});
    expect(read({ host: undefined, history: { maxAgeMs: undefined } })).toEqual({ history: {} });
  });

  it.each([
    [{ prot: 1 }, "prot is not an option of broker(): use host, port, confirm, history, nodes, urls, name, tls."],
    [{ toString: 1 }, "toString is not an option of broker(): use host, port, confirm, history, nodes, urls, name, tls."],
    [{ history: { maxAge: 1 } }, "history.maxAge is not an option of history: use maxAgeMs."],
    [{ history: true }, "history takes an object of options."],
    [{ nodes: [{ host: "a" }, { hots: "b" }] }, "nodes[1].hots is not an option of nodes[1]: use host."],
    [{ nodes: [] }, "nodes must be a list of at least one."],
    [{ urls: [] }, "urls must be a list of 1 to 2."],
    [{ urls: ["a", "b", "hidden-word"] }, "urls must be a list of 1 to 2."],
    [{ nodes: "a" }, "nodes must be a list of at least one."],
    [{ nodes: [{ host: "hidden word, hidden-word" }] }, "nodes[0].host must be a host."],
    [{ host: "" }, "host must be a text that is not empty."],
    [{ host: 5 }, "host must be a text that is not empty."],
    [{ host: null }, "host must be a text that is not empty."],
    [{ port: 0 }, "port must be a whole number from 1 to 65535."],
    [{ port: "hidden-word" }, "port must be a whole number from 1 to 65535."],
    [{ port: 1.5 }, "port must be a whole number from 1 to 65535."],
    [{ port: Number.NaN }, "port must be a whole number from 1 to 65535."],
    [{ history: { maxAgeMs: -5 } }, "history.maxAgeMs must be a whole number of at least 1."],
    [{ confirm: "hidden-word" }, 'confirm must be "stored" or "replicated".'],
    [{ name: "hidden-word" }, "name must be a function that makes a name."],
    [{ tls: { rejectUnauthorized: false } }, /^tls verification cannot be switched off: give tls\.ca/],
    [{ tls: { checkServerIdentity: () => undefined } }, /^tls verification cannot be switched off/],
    [{ tls: { caFile: "x" } }, /^tls\.caFile is not an option of tls: use ca, cert/],
    ["hidden-word", "broker() takes an object of options."],
    [null, "broker() takes an object of options."],
    [["hidden-word"], "broker() takes an object of options."],
  ] as readonly (readonly [unknown, string | RegExp])[])("refuses %j", (given, message) => {
    if (typeof message === "string") expect(refusal(given)).toBe(message);
    else expect(refusal(given)).toMatch(message);
  });
});
