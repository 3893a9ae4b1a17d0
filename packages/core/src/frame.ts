/**
 * Self-describing frames: a payload with what one needs to know to read it, for files, caches and protocols that have no headers.
 *
 *     4 bytes, big-endian: N | N bytes of JSON: format, compression, version, timestamp, original_size, compressed_size | the payload
 *
 * The layout is that of QuantaCirc's `MessageSerializer` in Python, and each reads what the other wrote. JSON and gzip are built in; MessagePack and
 * LZ4 are handed in, so that this package needs no other. Nothing that a frame says about its own size is used to make room for it, and `pickle`, which
 * Python's own reader would execute, is refused by name.
 */
import { type Clock, systemClock } from "./clock.ts";
import { type Codec, json } from "./codec.ts";
import { type Compressor, compressionThresholdBytes, gzip } from "./compression.ts";
import { HalyardError } from "./errors.ts";
import { type FrameMetadata, metadataText, parseMetadata } from "./frame-metadata.ts";
import { shown } from "./topic.ts";

export type { FrameMetadata } from "./frame-metadata.ts";

export interface EncodeFrameOptions {
  /** `json()` (default) or the `msgpack()` of `@halyard/codec-msgpack`: the format knows no other. */
  readonly codec?: Codec;
  /** `gzip()` (default), the `lz4()` of `@halyard/compression-lz4`, or `"none"`. Used above 1,024 bytes, and where it makes the payload smaller. */
  readonly compressor?: Compressor | "none";
  /** Where the timestamp comes from. Default the system's clock. */
  readonly clock?: Clock;
}

export interface DecodeFrameOptions {
  /** Codecs beside JSON: `[msgpack()]`. */
  readonly codecs?: readonly Codec[];
  /** Compressors beside gzip: `[lz4()]`. */
  readonly compressors?: readonly Compressor[];
  /** Largest payload, compressed or not, in bytes. Default 16 MiB. */
  readonly bodyBytesMax?: number;
}

const bodyBytesDefault = 16 * 1024 * 1024;

/**
 * One frame with this payload in it.
 *
 * @throws ENCODE_FAILED where the codec cannot carry the payload, INVALID_OPTIONS where the format has no name for the codec or compressor.
 * @example
 * await writeFile("state.frame", encodeFrame({ step: 7 }));
 */
export function encodeFrame(payload: unknown, options: EncodeFrameOptions = {}): Uint8Array {
  const { codec = json(), compressor = gzip(), clock = systemClock } = options;
  if (!Object.hasOwn(formats, codec.name)) throw unknownName("codec", codec.name, formats);
  if (compressor !== "none" && !Object.hasOwn(compressions, compressor.name)) throw unknownName("compressor", compressor.name, compressions);
  const original = codec.encode(payload);
  // Strictly above, as Python does it; messages of a bus are compressed from 1,024 bytes on.
  const isLarge = original.byteLength > compressionThresholdBytes;
  const smaller = isLarge && compressor !== "none" ? compressor.compress(original) : original;
  const isSmaller = smaller.byteLength < original.byteLength;
  const body = isSmaller ? smaller : original;
  const metadata = Buffer.from(
    metadataText({
      format: codec.name,
      compression: isSmaller && compressor !== "none" ? compressor.name : "none",
      version: "1.0",
      timeMs: clock.nowMs(),
      originalBytes: original.byteLength,
      compressedBytes: body.byteLength,
    }),
  );
  const frame = Buffer.allocUnsafe(lengthBytes + metadata.length + body.byteLength);
  frame.writeUInt32BE(metadata.length, 0);
  frame.set(metadata, lengthBytes);
  frame.set(body, lengthBytes + metadata.length);
  return frame;
}

/**
 * The payload of one frame; the bytes are the frame and nothing else.
 *
 * @throws DECODE_FAILED where the frame is damaged, states a wrong size or holds more than allowed; UNKNOWN_CODEC and UNKNOWN_COMPRESSION where what
 * reads it was not handed in, with the name of the package.
 * @example
 * const state = decodeFrame(await readFile("state.frame"), { codecs: [msgpack()], compressors: [lz4()] });
 */
export function decodeFrame(bytes: Uint8Array, options: DecodeFrameOptions = {}): unknown {
  const { codecs = [], compressors = [], bodyBytesMax = bodyBytesDefault } = options;
  const { metadata, body } = takeApart(bytes);
  const codec = codecFor(metadata.format, codecs);
  const compressor = compressorFor(metadata.compression, compressors);
  if (metadata.compressedBytes !== undefined && metadata.compressedBytes !== body.byteLength)
    throw damaged(`it states a payload of ${metadata.compressedBytes} bytes and has ${body.byteLength}`);
  if (body.byteLength > bodyBytesMax) throw damaged(`it has ${body.byteLength} bytes of payload, ${bodyBytesMax} at most here (bodyBytesMax)`);
  const original = compressor === undefined ? body : compressor.decompress(body, bodyBytesMax);
  if (metadata.originalBytes !== undefined && metadata.originalBytes !== original.byteLength)
    throw damaged(`it states ${metadata.originalBytes} bytes of ${metadata.format} and has ${original.byteLength}`);
  return codec.decode(original);
}

/**
 * What a frame says about itself, without reading its payload: claims of whoever wrote it.
 * @throws DECODE_FAILED
 */
export function inspectFrame(bytes: Uint8Array): FrameMetadata {
  return takeApart(bytes).metadata;
}

const lengthBytes = 4;
/** The metadata of Python and of `encodeFrame` take about 150 bytes. */
const metadataBytesMax = 64 * 1024;

function takeApart(bytes: Uint8Array): { readonly metadata: FrameMetadata; readonly body: Uint8Array } {
  if (bytes.byteLength < lengthBytes) throw damaged("it is too short");
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = buffer.readUInt32BE(0);
  if (length > metadataBytesMax) throw damaged(`its metadata would take ${length} bytes, ${metadataBytesMax} at most`);
  const end = lengthBytes + length;
  if (end > buffer.length) throw damaged("it ends within its metadata");
  return { metadata: parseMetadata(buffer.subarray(lengthBytes, end)), body: buffer.subarray(end) };
}

/** The formats that a frame can name, and the package of each that is not built in. */
const formats: Readonly<Record<string, string | undefined>> = { json: undefined, msgpack: "@halyard/codec-msgpack" };
const compressions: Readonly<Record<string, string | undefined>> = { gzip: undefined, lz4: "@halyard/compression-lz4" };

function codecFor(format: string, codecs: readonly Codec[]): Codec {
  if (format === "pickle")
    throw new HalyardError(
      "UNKNOWN_CODEC",
      "The frame holds pickle, which runs the sender's code when it is read: it is never read. Let the sender write json or msgpack.",
    );
  if (!Object.hasOwn(formats, format))
    throw new HalyardError("UNKNOWN_CODEC", `The frame has an unknown format, ${quoted(format)}: json and msgpack are known.`);
  const codec = codecs.find((candidate) => candidate.name === format) ?? (format === "json" ? json() : undefined);
  if (codec !== undefined) return codec;
  throw new HalyardError("UNKNOWN_CODEC", `The frame holds ${format}. Install ${formats[format]} and pass its codec: decodeFrame(bytes, { codecs: [ … ] }).`);
}

function compressorFor(compression: string, compressors: readonly Compressor[]): Compressor | undefined {
  if (compression === "none") return undefined;
  if (!Object.hasOwn(compressions, compression))
    throw new HalyardError("UNKNOWN_COMPRESSION", `The frame has an unknown compression, ${quoted(compression)}: none, gzip and lz4 are known.`);
  const compressor = compressors.find((candidate) => candidate.name === compression) ?? (compression === "gzip" ? gzip() : undefined);
  if (compressor !== undefined) return compressor;
  const text = `The frame is compressed with ${compression}. Install ${compressions[compression]} and pass its compressor: decodeFrame(bytes, { compressors: [ … ] }).`;
  throw new HalyardError("UNKNOWN_COMPRESSION", text);
}

function unknownName(what: string, name: string, known: Readonly<Record<string, unknown>>): HalyardError {
  return new HalyardError("INVALID_OPTIONS", `Frames have no name for the ${what} ${quoted(name)}: use one of ${Object.keys(known).join(", ")}.`);
}

/** Names come from strangers: quoted, so that they forge no line, and short. */
function quoted(name: string): string {
  return shown(name.slice(0, 64));
}

function damaged(what: string): HalyardError {
  return new HalyardError("DECODE_FAILED", `The frame cannot be read: ${what}.`);
}
