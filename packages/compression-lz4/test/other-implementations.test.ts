/** What is written here is read by the `lz4` tool and by Python, and theirs here. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { findPython, hasLz4Tool } from "../../../vitest.reference-tools.ts";
import { lz4 } from "../src/index.ts";
import { skippable } from "./build-frame.ts";

const compressor = lz4();
const python = findPython();
const bytesMax = 16 * 1024 * 1024;

const text = (length: number): Buffer => {
  const words = Array.from({ length: length / 4 }, (_, index) => `order ${(index * 7919) % 1013} of customer ${(index * 31) % 97}; `).join("");
  return Buffer.from(words.slice(0, length));
};
const bodies: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  ["a kilobyte of text", text(1_024)],
  ["300 KB of text", text(300_000)],
  ["5 MB of text", text(5_000_000)],
  ["a megabyte of chance", randomBytes(1_048_576)],
  ["a megabyte of zeros", Buffer.alloc(1_048_576)],
];

function run(program: string, parameters: readonly string[], input: Uint8Array): Buffer {
  const result = spawnSync(program, parameters, { input, maxBuffer: 4 * bytesMax });
  expect(result.stderr.toString()).toBe("");
  expect(result.status).toBe(0);
  return result.stdout;
}

function decompressed(bytes: Uint8Array): Buffer {
  return Buffer.from(compressor.decompress(bytes, bytesMax));
}

test.runIf(hasLz4Tool()).for(bodies)("the lz4 tool reads what is written here: %s", ([, body]) => {
  expect(run("lz4", ["-d", "-c"], compressor.compress(body)).equals(body)).toBe(true);
});

test
  .runIf(hasLz4Tool())
  .for([
    ["-1"],
    ["-9"],
    ["-12", "-BD"],
    ["-B4", "-BD"],
    ["-B4", "-BI"],
    ["-B5", "-BX"],
    ["-B6", "-BD", "-BX"],
    ["-B7", "--no-frame-crc"],
    ["-BD", "--content-size"],
    ["--fast=9", "-BD", "-BX", "--content-size"],
  ])("what the lz4 tool writes is read here: %j", (options) => {
  for (const [what, body] of bodies) expect(decompressed(run("lz4", ["-c", "-q", ...options], body)).equals(body), what).toBe(true);
});

test.runIf(hasLz4Tool())("frames in a row and skippable ones are to the lz4 tool what they are here", () => {
  const [a, b] = [text(1_000), text(70_000)];
  const row = Buffer.concat([compressor.compress(a), skippable(Buffer.from("an index")), run("lz4", ["-c", "-q", "-BD"], b)]);
  const both = Buffer.concat([a, b]);
  expect(run("lz4", ["-d", "-c"], row).equals(both)).toBe(true);
  expect(decompressed(row).equals(both)).toBe(true);
});

const compressInPython = `
import sys, lz4.frame
options = eval(sys.argv[1])
sys.stdout.buffer.write(lz4.frame.compress(sys.stdin.buffer.read(), **options))
`;
const decompressInPython = "import sys, lz4.frame; sys.stdout.buffer.write(lz4.frame.decompress(sys.stdin.buffer.read()))";

test.runIf(python !== undefined).for(bodies)("Python's lz4 reads what is written here: %s", ([, body]) => {
  expect(run(python ?? "", ["-c", decompressInPython], compressor.compress(body)).equals(body)).toBe(true);
});

test
  .runIf(python !== undefined)
  .for([
    "{}",
    "{'block_linked': True, 'store_size': True, 'block_size': lz4.frame.BLOCKSIZE_MAX64KB}",
    "{'block_linked': False, 'content_checksum': True, 'block_checksum': True}",
    "{'block_linked': True, 'store_size': False, 'content_checksum': True, 'compression_level': 9}",
    "{'block_size': lz4.frame.BLOCKSIZE_MAX4MB, 'compression_level': -5}",
  ])("what Python's lz4 writes is read here: %s", (options) => {
  for (const [what, body] of bodies) expect(decompressed(run(python ?? "", ["-c", compressInPython, options], body)).equals(body), what).toBe(true);
});
