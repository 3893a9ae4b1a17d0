import { noHeaders, type WireMessage } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { copyId, decodeMessage, encodeHeaders, publishId, withinBytes } from "../src/wire.ts";

const plain: WireMessage = {
  topic: "a.b",
  id: "id-1",
  timeMs: 1_700_000_000_123,
  attempt: 1,
  contentType: "application/json",
  body: new Uint8Array([1, 2, 3]),
  headers: noHeaders,
  priority: 4,
  persistent: true,
};

function roundTrip(message: WireMessage): WireMessage {
  return decodeMessage(encodeHeaders(message, publishId(message)).toString(), message.body, message.topic, () => "position").message;
}

const defined = (message: object): object => Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));

describe("headers of a message", () => {
  it("are few where the message has nothing special", () => {
    expect(encodeHeaders(plain, publishId(plain)).toString()).toBe(
      "NATS/1.0\r\nNats-Msg-Id: id-1/a.b\r\nhalyard-id: id-1\r\nhalyard-time: 1700000000123\r\n\r\n",
    );
  });

  it("bring back every field", () => {
    const full: WireMessage = {
      ...plain,
      attempt: 3,
      contentType: "application/msgpack",
      contentEncoding: "gzip",
      priority: 9,
      persistent: false,
      key: "käse",
      type: "t",
      source: " s ",
      correlationId: "c\r\nNats-Rollup: all",
      replyTo: "",
      expiresAtMs: 5,
      notBeforeMs: 6,
      headers: { note: "x" },
    };
    expect(defined(roundTrip(full))).toEqual({ ...full, headers: { note: "x" } });
  });

  it("bring back any value, and encode only what NATS would change", () => {
    const values = [
      "",
      " ",
      "  x",
      "x  ",
      "a\nb",
      "a\r\nb: c",
      "100%",
      "%20",
      "tab\t",
      "\ttab",
      "ünï ✓ 🚀",
      "a b",
      "\u0000",
      "\u2028",
      "\u00a0x",
      "x\ufeff",
      "%",
      "a%\n",
    ];
    for (const value of values) expect(roundTrip({ ...plain, headers: { h: value } }).headers.h, JSON.stringify(value)).toBe(value);
    const text = (value: string): string => encodeHeaders({ ...plain, headers: { h: value } }, "").toString();
    for (const value of ["100%", "%20", "a b", "ünï ✓ 🚀", ""]) expect(text(value)).toContain(`\r\nh: ${value}\r\n\r\n`);
    expect(text("a\nb")).toContain("\r\nh: a%0Ab\r\nhalyard-encoded: h\r\n");
  });

  it("can inject nothing", () => {
    const text = encodeHeaders({ ...plain, headers: { h: "x\r\nNats-Rollup: all\r\n\r\n" }, contentType: "a\r\nNats-Rollup: all" }, "").toString();
    expect(text.split("\r\n").some((line) => line.startsWith("Nats-Rollup"))).toBe(false);
  });

  it("put those for the server first, where it finds them although a value names one", () => {
    const text = encodeHeaders({ ...plain, headers: { h: "Nats-Msg-Id" } }, publishId(plain)).toString();
    expect(text.indexOf("Nats-Msg-Id")).toBe("NATS/1.0\r\n".length);
  });

  it("name a copy by what it replaces, so that no dedup takes one for the other", () => {
    const ids = [
      publishId(plain),
      copyId(plain, "g", "s-1"),
      copyId(plain, "h", "s-1"),
      copyId({ ...plain, attempt: 2 }, "g", "s-1"),
      copyId(plain, "g", "s-2"),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("carry the topic of a copy, which its subject does not", () => {
    const text = encodeHeaders(plain, "", { topic: "a.b", delayMs: 70, incarnation: "x" }).toString();
    const { message, delayMs, incarnation } = decodeMessage(text, plain.body, "ready.g", () => "position");
    expect([message.topic, delayMs, incarnation]).toEqual(["a.b", 70, "x"]);
  });
});

describe("a message of another program", () => {
  const read = (head: string): WireMessage => decodeMessage(head, plain.body, "a.b", () => "shop:7").message;

  it("has defaults for what is missing, and its position for an id", () => {
    expect(defined(read(""))).toEqual({ ...plain, id: "shop:7", timeMs: 0, headers: {} });
  });

  it("may have its id from the server's own header", () => {
    expect(read("NATS/1.0\r\nNats-Msg-Id: order-7\r\n\r\n").id).toBe("order-7");
    expect(read("NATS/1.0\r\nNats-Msg-Id: not an id\r\n\r\n").id).toBe("shop:7");
  });

  it("may have numbers and names that are none", () => {
    const message = read(
      "NATS/1.0\r\nhalyard-time: soon\r\nhalyard-attempt: 0\r\nhalyard-priority: 11\r\nhalyard-topic: a..b\r\nhalyard-id: a b\r\nTraceparent: x\r\nBad Name: y\r\nno colon\r\n: z\r\n\r\n",
    );
    expect([message.timeMs, message.attempt, message.priority, message.topic, message.id]).toEqual([0, 1, 4, "a.b", "shop:7"]);
    expect({ ...message.headers }).toEqual({ traceparent: "x" });
  });
});

describe("a letter that does not fit", () => {
  it("gives up its stack first, then the text of its error, and nothing of the message", () => {
    const letter = { ...plain, headers: { "halyard-error-stack": "s".repeat(500), "halyard-error-message": "m".repeat(500), note: "kept" } };
    const encode = (message: WireMessage): Buffer => encodeHeaders(message, "");
    expect(withinBytes(letter, 10_000, encode).toString()).toContain("halyard-error-stack");
    const smaller = withinBytes(letter, 800, encode).toString();
    expect([smaller.includes("error-stack"), smaller.includes("error-message"), smaller.includes("note: kept")]).toEqual([false, true, true]);
    expect(withinBytes(letter, 300, encode).toString()).not.toContain("error-message");
  });
});
