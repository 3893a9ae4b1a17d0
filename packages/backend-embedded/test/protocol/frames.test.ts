import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../src/protocol/byte-reader.ts";
import { FrameReader } from "../../src/protocol/frame-reader.ts";
import { ChunkPool, chunkBytes, FrameWriter } from "../../src/protocol/frame-writer.ts";

interface Frame {
  readonly type: number;
  readonly text: string;
}

function stream(frames: readonly Frame[]): Buffer {
  const chunks: Buffer[] = [];
  const writer = new FrameWriter(new ChunkPool(), (chunk, onWritten) => {
    chunks.push(Buffer.from(chunk));
    onWritten();
  });
  for (const frame of frames) {
    writer.begin(frame.type);
    writer.text32(frame.text);
    writer.end();
  }
  writer.flush();
  return Buffer.concat(chunks);
}

function collect(chunks: readonly Buffer[], frameBytesMax = 2 ** 26): Frame[] {
  const found: Frame[] = [];
  const reader = new FrameReader(frameBytesMax, (type, bytes, start, end) => {
    found.push({ type, text: new ByteReader(bytes, start, end).text32() });
    return true;
  });
  for (const chunk of chunks) reader.push(chunk);
  return found;
}

const frames: readonly Frame[] = [
  { type: 2, text: "first" },
  { type: 128, text: "" },
  { type: 3, text: "grüße 🎈" },
  { type: 255, text: "x".repeat(300) },
];

describe("frames", () => {
  test("are found however the stream is cut in two", () => {
    const whole = stream(frames);
    for (let cut = 0; cut <= whole.length; cut++) expect(collect([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(frames);
  });

  test("are found when they come byte by byte", () => {
    expect(collect(Array.from(stream(frames), (byte) => Buffer.from([byte])))).toEqual(frames);
  });

  test("of any size and cut anywhere come out as they went in", () => {
    const frame = fc.record({ type: fc.integer({ min: 1, max: 255 }), text: fc.string({ maxLength: 200_000, size: "max" }) });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), (wanted, cuts) => {
        const whole = stream(wanted);
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
        expect(collect(places.slice(1).map((end, index) => whole.subarray(places[index], end)))).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  });

  test("that announce too much are refused by their header alone, and nothing is allocated for them", () => {
    const reader = new FrameReader(64 * 1024, () => true);
    expect(() => reader.push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(/4294967295 bytes/);
    expect(() => new FrameReader(64 * 1024, () => true).push(Buffer.alloc(4))).toThrow(/a frame of 0 bytes/);
  });

  test("that are announced and do not come cost what came", () => {
    const reader = new FrameReader(2 ** 30, () => true);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(2 ** 30);
    const before = process.memoryUsage().arrayBuffers;
    reader.push(header);
    reader.push(Buffer.alloc(1_000));
    expect(reader.heldBytes).toBe(1_004);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test("after one that ended the reading are not handed out", () => {
    let count = 0;
    const reader = new FrameReader(2 ** 20, () => ++count < 2);
    reader.push(stream(frames));
    reader.push(stream(frames));
    expect(count).toBe(2);
  });

  test("of one turn leave in one piece, and one that outgrows its chunk moves along whole", async () => {
    const sent: Buffer[] = [];
    const writer = new FrameWriter(new ChunkPool(), (chunk) => void sent.push(Buffer.from(chunk)));
    for (let index = 0; index < 100; index++) {
      writer.begin(1);
      writer.text32("small");
      writer.end();
    }
    expect(sent).toHaveLength(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(1);
    writer.begin(7);
    writer.text8("before");
    for (let index = 0; index < 10; index++) writer.raw(Buffer.alloc(chunkBytes / 4, index), 0, chunkBytes / 4);
    writer.end();
    writer.flush();
    const last = Buffer.concat(sent.slice(1));
    expect(last.length).toBe(4 + 1 + 7 + 10 * (chunkBytes / 4));
    expect(last.readUInt32BE(0)).toBe(last.length - 4);
    expect(last[last.length - 1]).toBe(9);
  });

  test("of finished requests are joined into one", async () => {
    const sent: Buffer[] = [];
    const writer = new FrameWriter(new ChunkPool(), (chunk) => void sent.push(Buffer.from(chunk)));
    for (let id = 1; id <= 5; id++) writer.appendTo(67, id);
    writer.begin(9);
    writer.end();
    writer.appendTo(67, 6);
    writer.flush();
    const whole = Buffer.concat(sent);
    const lengths: number[] = [];
    for (let place = 0; place < whole.length; place += 4 + whole.readUInt32BE(place)) lengths.push(whole.readUInt32BE(place));
    expect(lengths).toEqual([21, 1, 5]);
  });

  test("carry numbers of up to 53 bits and differences of both signs", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (number, difference) => {
        const writer = new FrameWriter(new ChunkPool(), () => undefined);
        writer.begin(1);
        writer.varint(number);
        writer.difference(difference);
        const reader = new ByteReader(writer.bytes, writer.position - writer.frameBytes + 1, writer.position);
        expect(reader.varint()).toBe(number);
        expect(reader.difference()).toBe(difference);
        expect(reader.isAtEnd).toBe(true);
      }),
    );
  });
});
