import { isHalyardError, type WireMessage } from "@halyard/core/spi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkPool, FrameWriter } from "../../src/protocol/frame-writer.ts";
import { MessageReader } from "../../src/protocol/message-reader.ts";
import { messageBytesMax, writeMessage, writeMessages } from "../../src/protocol/message-writer.ts";
import { fieldsOf, wire } from "../support/host.ts";

const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const time = fc.double({ min: 0, max: 4e12, noNaN: true });
const text = fc.option(fc.string({ unit: "binary", maxLength: 60 }), { nil: undefined });

const anyMessage: fc.Arbitrary<WireMessage> = fc
  .record({
    topic: fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(".")),
    id: fc.stringMatching(/^[A-Za-z0-9._:/-]{1,128}$/),
    timeMs: time,
    attempt: fc.constantFrom(1, 2, 4_000_000_000),
    contentType: fc.constantFrom("application/json", "application/x-msgpack", "text/plän"),
    contentEncoding: text,
    body: fc.uint8Array({ maxLength: 3_000 }),
    headers: fc.dictionary(fc.stringMatching(/^[a-z0-9_-]{1,64}$/), fc.string({ unit: "binary", maxLength: 80 }), { maxKeys: 6, noNullPrototype: false }),
    priority: fc.integer({ min: 0, max: 9 }),
    persistent: fc.boolean(),
    key: text,
    type: text,
    source: text,
    correlationId: text,
    replyTo: text,
    expiresAtMs: fc.option(time, { nil: undefined }),
    notBeforeMs: fc.option(time, { nil: undefined }),
  })
  .map((fields) => wire(fields));

function encode(messages: readonly WireMessage[]): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
  const writer = new FrameWriter(new ChunkPool(), () => undefined);
  writer.begin(1);
  writeMessages(writer, messages);
  return { bytes: Buffer.from(writer.bytes.subarray(writer.position - writer.frameBytes, writer.position)), start: 1, end: writer.frameBytes };
}

describe("messages on the wire", () => {
  test("arrive as they were sent, as plain objects and as kept by the server", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 40 }), (messages) => {
        const { bytes, start, end } = encode(messages);
        const plain = new MessageReader();
        const kept = new MessageReader();
        const wanted = messages.map(fieldsOf);
        expect(plain.readPlain(bytes, start, end, messages.length).map(fieldsOf)).toEqual(wanted);
        expect(plain.position).toBe(end);
        expect(kept.readEncoded(bytes, start, end, messages.length).map(fieldsOf)).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  test("leave the server byte for byte as they came, in any order and with changed ones between", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 7 }), (messages, step) => {
        const first = encode(messages);
        const kept = new MessageReader().readEncoded(first.bytes, first.start, first.end, messages.length);
        expect(encode(kept).bytes.equals(first.bytes)).toBe(true);
        const mixed = kept.map((message, index) => (index % step === 0 ? wire({ ...fieldsAsMessage(message), attempt: 7 }) : message)).reverse();
        const second = encode(mixed);
        const read = new MessageReader().readPlain(second.bytes, second.start, second.end, mixed.length);
        expect(read.map(fieldsOf)).toEqual(mixed.map(fieldsOf));
      }),
      { numRuns: 100 },
    );
  });

  test("take no more bytes than was reserved for them", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { end, start } = encode([message]);
        expect(end - start).toBeLessThanOrEqual(messageBytesMax(message));
      }),
    );
  });

  test("do not keep the bytes that they were read from", () => {
    const { bytes, start, end } = encode([wire({ body: Buffer.from("keep me") })]);
    const [kept] = new MessageReader().readEncoded(bytes, start, end, 1);
    bytes.fill(0);
    expect(Buffer.from(kept?.body ?? []).toString()).toBe("keep me");
    // A small message shares its page with others: what it can keep alive is bounded by the page.
    expect(kept?.body.buffer.byteLength).toBeLessThanOrEqual(8 * 1024);
  });

  test("with headers or texts that cannot be written are refused, and what was written before stays", () => {
    const writer = new FrameWriter(new ChunkPool(), () => undefined);
    writer.begin(1);
    writeMessage(writer, wire());
    const before = writer.frameBytes;
    expect(() => writeMessage(writer, wire({ headers: { large: "x".repeat(70_000) } }))).toThrow(/more than 65535 bytes/);
    expect(writer.frameBytes).toBe(before);
  });

  test("that are damaged are a broken protocol or another message, never a crash or an endless loop", () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (messages, damage) => {
          const { bytes, start, end } = encode(messages);
          for (const [place, value] of damage) bytes[start + (place % (end - start))] = value;
          try {
            for (const message of new MessageReader().readEncoded(bytes, start, end, messages.length)) fieldsOf(message);
          } catch (error) {
            expect(isHalyardError(error, "PROTOCOL_ERROR")).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("that are cut off anywhere are a broken protocol", () => {
    const { bytes, start, end } = encode([wire({ key: "k", headers: { a: "b" }, priority: 9, expiresAtMs: 5 })]);
    for (let cut = start; cut < end; cut++) {
      expect(() => new MessageReader().readEncoded(bytes, start, cut, 1)).toThrow(/broke the embedded protocol/);
    }
  });

  test("announced in a number that the frame cannot hold are refused before anything is allocated", () => {
    const { bytes, start, end } = encode([wire()]);
    expect(() => new MessageReader().readEncoded(bytes, start, end, 4_000_000_000)).toThrow(/more messages announced/);
  });
});

/** A kept message has getters; spreading them would lose the fields. */
function fieldsAsMessage(message: WireMessage): WireMessage {
  const { topic, id, timeMs, attempt, contentType, contentEncoding, body, headers, priority, persistent } = message;
  const { key, type, source, correlationId, replyTo, expiresAtMs, notBeforeMs } = message;
  const rest = { key, type, source, correlationId, replyTo, expiresAtMs, notBeforeMs };
  return { topic, id, timeMs, attempt, contentType, contentEncoding, body, headers, priority, persistent, ...rest };
}
