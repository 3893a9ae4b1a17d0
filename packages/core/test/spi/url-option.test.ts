import { inspect } from "node:util";
import { expect, it } from "vitest";
import { isHalyardError } from "../../src/errors.ts";
import { agreed, readUrl, type UrlForm } from "../../src/spi/url-option.ts";

const form: UrlForm = { protocols: ["broker", "brokers"], example: "broker://user:password@host:1/place", parameters: ["heartbeat"] };

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(isHalyardError(error, "INVALID_OPTIONS")).toBe(true);
    expect(inspect(error, { depth: 8 })).not.toContain("hidden-word");
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

it("reads all parts, decoded, and says nothing of what is not there", () => {
  expect(readUrl("url", "brokers://us%40er:p%23%2F%3Fss@[::1]:65535/a%2Fb?heartbeat=10", form)).toEqual({
    protocol: "brokers",
    host: "::1",
    port: 65_535,
    username: "us@er",
    password: "p#/?ss",
    path: "a/b",
    parameters: new Map([["heartbeat", "10"]]),
  });
  const nothing = { host: undefined, port: undefined, username: undefined, password: undefined, path: undefined, parameters: new Map() };
  expect(readUrl("url", "broker://host", form)).toEqual({ ...nothing, protocol: "broker", host: "host" });
  expect(readUrl("url", "broker://host/", form)).toEqual({ ...nothing, protocol: "broker", host: "host" });
  expect(readUrl("url", "broker:///", form)).toEqual({ ...nothing, protocol: "broker" });
});

it.each([
  [undefined, /^url must look like broker:\/\/user/],
  [5, /must look like/],
  ["hidden-word", /must look like/],
  ["other://u:hidden-word@h", /must look like/],
  ["broker://u:hidden-word@h\n", /must look like/],
  ["broker://u:hidden-word@h:0", /a port from 1 to 65535/],
  ["broker://u:hidden-word@h:65536", /must look like/],
  ["broker://u:hidden-word%zz@h", /write % as %25/],
  ["broker://h/hidden-word%", /write % as %25/],
  ["broker://u@h/#hidden-word", /write # as %23/],
  ["broker://h?tls=hidden-word", /has a parameter that nobody reads: use heartbeat only/],
])("refuses %j without repeating it", (url, message) => {
  expect(refusal(() => readUrl("url", url, form))).toMatch(message);
});

it("sends parameters to the options where none are read", () => {
  expect(refusal(() => readUrl("url", "broker://h?db=3", { ...form, parameters: [] }))).toMatch(/beside the url/);
});

it("lets URL and options say the same or either of them, but not two things", () => {
  expect(agreed("port", undefined, undefined)).toBeUndefined();
  expect(agreed("port", 1, undefined)).toBe(1);
  expect(agreed("port", undefined, 1)).toBe(1);
  expect(agreed("port", 1, 1)).toBe(1);
  expect(refusal(() => agreed("port", 1, 2))).toBe("port is said otherwise by the url: say it once.");
});
