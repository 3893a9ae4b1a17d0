/**
 * How long a payload takes to become a body and back, and how large the body is, for each codec with each compressor. By processor time, which other
 * programs on the machine hardly change; everything here runs in this thread.
 */
import process from "node:process";
import { msgpack } from "@halyard/codec-msgpack";
import { lz4 } from "@halyard/compression-lz4";
import { brotli, type Codec, type Compressor, gzip, json } from "@halyard/core";
import type { SampleMessage } from "./messages.ts";

export interface CodecResult {
  readonly message: string;
  readonly codec: string;
  readonly compression: string;
  /** Of the body, the mean of the variants. */
  readonly bytes: number;
  /** Medians over the rounds, with the lowest and highest. */
  readonly encodeMicroseconds: Spread;
  readonly decodeMicroseconds: Spread;
}

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

const codecs: readonly Codec[] = [json(), msgpack()];
const compressors: readonly (Compressor | undefined)[] = [undefined, gzip(), brotli(), lz4()];

/** Few enough to stay in the caches as the messages of a busy process do, enough not to be one value. */
const variants = 16;
const bodyBytesMax = 16 * 1_024 * 1_024;

export interface CodecMeasureOptions {
  readonly rounds: number;
  /** Of each round and direction. */
  readonly seconds: number;
}

export function measureMessage(message: SampleMessage, options: CodecMeasureOptions): readonly CodecResult[] {
  const payloads = Array.from({ length: variants }, (_, variant) => message.make(variant));
  return codecs.flatMap((codec) => compressors.map((compressor) => measureOne(message.name, payloads, codec, compressor, options)));
}

function measureOne(message: string, payloads: readonly object[], codec: Codec, compressor: Compressor | undefined, options: CodecMeasureOptions): CodecResult {
  const encode = (payload: unknown): Uint8Array => {
    const body = codec.encode(payload);
    return compressor === undefined ? body : compressor.compress(body);
  };
  const decode = (body: Uint8Array): unknown => codec.decode(compressor === undefined ? body : compressor.decompress(body, bodyBytesMax));
  const bodies = payloads.map(encode);
  return {
    message,
    codec: codec.name,
    compression: compressor?.name ?? "none",
    bytes: Math.round(bodies.reduce((sum, body) => sum + body.byteLength, 0) / bodies.length),
    encodeMicroseconds: timed(payloads, encode, options),
    decodeMicroseconds: timed(bodies, decode, options),
  };
}

/** What the last call gave, so that no compiler may leave the work out. */
const sink: { last: unknown } = { last: undefined };

function timed<Input>(inputs: readonly Input[], run: (input: Input) => unknown, { rounds, seconds }: CodecMeasureOptions): Spread {
  roundOf(inputs, run, seconds);
  const times = Array.from({ length: rounds }, () => roundOf(inputs, run, seconds)).sort((a, b) => a - b);
  return { median: times[times.length >> 1] ?? Number.NaN, lowest: times[0] ?? Number.NaN, highest: times.at(-1) ?? Number.NaN };
}

/** Microseconds of one call. */
function roundOf<Input>(inputs: readonly Input[], run: (input: Input) => unknown, seconds: number): number {
  const start = process.cpuUsage();
  let calls = 0;
  for (;;) {
    for (const input of inputs) sink.last = run(input);
    calls += inputs.length;
    const { user, system } = process.cpuUsage(start);
    if (user + system >= seconds * 1e6) return (user + system) / calls;
  }
}
