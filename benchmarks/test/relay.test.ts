import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { AckReader, ackBytes, FrameScanner, headerBytes, readUint32, writeUint32 } from "../src/opponents/relay-frames.ts";
import { RelayQueue } from "../src/opponents/relay-queue.ts";

function frame(body: string): Buffer {
  const bytes = Buffer.alloc(headerBytes + body.length);
  writeUint32(bytes, 0, body.length);
  bytes.write(body, headerBytes);
  return bytes;
}

test("numbers survive their four bytes", () => {
  const bytes = new Uint8Array(8);
  for (const value of [0, 1, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff]) {
    writeUint32(bytes, 2, value);
    expect(readUint32(bytes, 2)).toBe(value);
  }
});

test("frames are found wherever the stream is cut", () => {
  // The last length needs more than one byte, so that a header cut in two is seen.
  const stream = Buffer.concat([frame("one"), frame(""), frame("three".repeat(60))]);
  for (let cut = 0; cut <= stream.length; cut++) {
    const scanner = new FrameScanner();
    const first = scanner.scan(stream.subarray(0, cut));
    const second = scanner.scan(stream.subarray(cut));
    expect(first.frames + second.frames, `cut at ${cut}`).toBe(3);
    if (second.frames > 0) expect(second.endOfLast).toBe(stream.length - cut);
  }
});

test("every byte alone gives the same frames", () => {
  const scanner = new FrameScanner();
  const stream = Buffer.concat([frame("one"), frame("two")]);
  const frames = [...stream].map((byte) => scanner.scan(Uint8Array.of(byte)).frames);
  expect(frames.reduce((sum, count) => sum + count)).toBe(2);
});

test("a length above the limit is refused", () => {
  expect(() => new FrameScanner().scan(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow("above the limit");
});

test("acks add up wherever they are cut", () => {
  const stream = Buffer.concat([ackBytes(3), ackBytes(70_000)]);
  for (let cut = 0; cut <= stream.length; cut++) {
    const acks = new AckReader();
    expect(acks.read(stream.subarray(0, cut)) + acks.read(stream.subarray(cut))).toBe(70_003);
  }
});

/** A socket that keeps what is written to it. The queue uses nothing else of a socket. */
function socketStub(): { readonly socket: Socket; readonly written: string[] } {
  const written: string[] = [];
  const stub: Partial<Socket> = { cork: () => undefined, uncork: () => undefined, destroy: () => stub as Socket };
  stub.write = (bytes: Uint8Array | string) => {
    written.push(Buffer.from(bytes).toString());
    return true;
  };
  return { socket: stub as Socket, written };
}

const run = (text: string, frames: number) => ({ parts: [Buffer.from(text)], frames });

test("a queue hands over no more than its window and goes on with the acks", () => {
  const queue = new RelayQueue(4);
  const { socket, written } = socketStub();
  queue.attach(socket);
  for (const text of ["a", "b", "c"]) queue.add(run(text, 2));
  queue.send();
  expect(written).toEqual(["a", "b"]);
  expect(queue.heldFrames).toBe(6);
  queue.ack(2);
  queue.send();
  expect(written).toEqual(["a", "b", "c"]);
  expect(queue.heldFrames).toBe(4);
});

test("what a subscriber had not acked goes to the next one first", () => {
  const queue = new RelayQueue(10);
  const [first, second] = [socketStub(), socketStub()];
  queue.attach(first.socket);
  for (const text of ["a", "b", "c"]) queue.add(run(text, 1));
  queue.send();
  queue.ack(1);
  queue.detach(first.socket);
  queue.add(run("d", 1));
  queue.attach(second.socket);
  expect(second.written).toEqual(["b", "c", "d"]);
});

test("a queue forgets acked messages for good", () => {
  const queue = new RelayQueue(1);
  const { socket, written } = socketStub();
  queue.attach(socket);
  for (let index = 0; index < 1_000; index++) {
    queue.add(run(String(index), 1));
    queue.send();
    queue.ack(1);
  }
  expect(queue.heldFrames).toBe(0);
  expect(written).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
});
