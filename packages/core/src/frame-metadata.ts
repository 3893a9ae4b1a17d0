/** The JSON before the payload of a frame: names and notation are those of the Python that the format comes from. */
import { isUtf8 } from "node:buffer";
import { HalyardError } from "./errors.ts";

/** What a frame says about itself. */
export interface FrameMetadata {
  /** `"json"` or `"msgpack"`. */
  readonly format: string;
  /** `"none"`, `"gzip"` or `"lz4"`. */
  readonly compression: string;
  /** `"1.0"`. */
  readonly version: string;
  /** When it was made, milliseconds since 1970; `undefined` where the frame does not say or says something else. */
  readonly timeMs: number | undefined;
  /** Size before compression; `undefined` where the frame does not say. A claim. */
  readonly originalBytes: number | undefined;
  /** Size of the payload in the frame; `undefined` where the frame does not say. A claim. */
  readonly compressedBytes: number | undefined;
}

/** Byte for byte as `json.dumps` of Python writes them. */
export function metadataText(metadata: FrameMetadata): string {
  const fields = [
    ["format", metadata.format],
    ["compression", metadata.compression],
    ["version", metadata.version],
    ["timestamp", isoText(metadata.timeMs ?? 0)],
    ["original_size", metadata.originalBytes],
    ["compressed_size", metadata.compressedBytes],
  ] as const;
  return `{${fields.map(([name, value]) => `"${name}": ${JSON.stringify(value)}`).join(", ")}}`;
}

/** What is missing is what Python's reader takes: no compression, MessagePack. @throws DECODE_FAILED */
export function parseMetadata(bytes: Buffer): FrameMetadata {
  const fields = parsed(bytes);
  const version = textOf(fields, "version", "1.0");
  if (!/^1(\.|$)/.test(version)) throw invalid(`version ${JSON.stringify(version.slice(0, 64))} is not known, 1.0 is`);
  return {
    format: textOf(fields, "format", "msgpack"),
    compression: textOf(fields, "compression", "none"),
    version,
    timeMs: timeOf(fields.timestamp),
    originalBytes: sizeOf(fields, "original_size"),
    compressedBytes: sizeOf(fields, "compressed_size"),
  };
}

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (!isUtf8(bytes)) throw invalid("they are not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    throw new HalyardError("DECODE_FAILED", "The metadata of the frame cannot be read: they are not JSON.", { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("they are not an object");
  // Without a prototype, so that no name of a field finds anything but what the frame says.
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string, missing: string): string {
  const value = fields[name] ?? missing;
  if (typeof value !== "string") throw invalid(`${name} is not text`);
  return value;
}

function sizeOf(fields: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw invalid(`${name} is not a number of bytes`);
  return value;
}

/** As `datetime.utcnow().isoformat()`: no zone, six digits of a second, none where they are zero. */
function isoText(timeMs: number): string {
  const text = new Date(timeMs).toISOString().slice(0, -1);
  return text.endsWith(".000") ? text.slice(0, -4) : `${text}000`;
}

/** Nothing depends on the time, so a strange one is no reason to refuse the frame. */
function timeOf(value: unknown): number | undefined {
  if (typeof value !== "string") return undefined;
  const timeMs = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

function invalid(what: string): HalyardError {
  return new HalyardError("DECODE_FAILED", `The metadata of the frame cannot be read: ${what}.`);
}
