/** The options of `msgpack()` and their bounds: what one message may make the reader do, whatever it says about itself. */
import { HalyardError } from "@halyard/core/spi";

/** How one extension type is read. A type that no entry names is refused. */
export interface MsgpackExtension {
  /** 0 to 127, as the sender's library calls it; 77 and 83 are taken (`Map` and `Set`). */
  readonly type: number;
  /** Makes a value of the bytes of the extension, which are its own copy. Throws where they are not valid; must be bounded in time and memory for any input. */
  decode(data: Uint8Array): unknown;
}

export interface MsgpackOptions {
  /** Extension types of senders in other languages that are let in. Default none: a message with any but the timestamp, `Map` and `Set` is refused. */
  readonly extensions?: readonly MsgpackExtension[];
  /**
   * Whether the record definitions are read that msgpackr writes by default (its `useRecords`). Default false: they are refused. They are
   * valid within their own message only; this codec never writes them.
   */
  readonly records?: boolean;
  /**
   * What the 64-bit integers of the format become: `"bigint"`, so that a bigint comes back as it went out (default), or `"number"` for those that a
   * number holds exactly, for senders that write every integer above 32 bits so (Python, Go, Rust). Others are bigint either way.
   */
  readonly integers64?: "bigint" | "number";
  /** Deepest nesting of lists, maps and sets, in and out. Default 512: more has never been a message, and thousands would overflow the stack. */
  readonly depthMax?: number;
  /**
   * Most lists, maps, sets, dates, byte arrays and extensions of one message, in and out; a `Map` or `Set` counts as two. Default 500,000. One byte is enough to write an empty map of 56 bytes
   * and two for an empty byte array of 250, so that without this bound a body of 16 MiB could fill 2 GB.
   */
  readonly containersMax?: number;
}

/** The options as the reader uses them. */
export interface MsgpackLimits {
  readonly extensions: ReadonlyMap<number, MsgpackExtension>;
  readonly hasRecords: boolean;
  readonly hasSafeIntegersAsNumbers: boolean;
  readonly depthMax: number;
  readonly containersMax: number;
}

/** `Map` and `Set` have no type of their own in MessagePack; these are the letters M and S. */
export const mapType = 0x4d;
export const setType = 0x53;

const depthDefault = 512;
/** Above this the stack of Node's default size would be at risk (measured: it holds about 5,000 levels when nothing else is on it). */
const depthHighest = 1_000;
const containersDefault = 500_000;

/** @throws INVALID_OPTIONS */
export function resolveOptions(options: MsgpackOptions): MsgpackLimits {
  const extensions = new Map<number, MsgpackExtension>();
  for (const extension of options.extensions ?? []) {
    const { type } = extension;
    if (!Number.isInteger(type) || type < 0 || type > 127) throw invalid(`${String(type)} is not the type of an extension: use a whole number from 0 to 127.`);
    if (type === mapType || type === setType) throw invalid(`The extension type ${type} is taken: 77 is Map, 83 is Set.`);
    if (extensions.has(type)) throw invalid(`The extension type ${type} is given twice.`);
    extensions.set(type, extension);
  }
  const { integers64 = "bigint" } = options;
  if (integers64 !== "bigint" && integers64 !== "number") throw invalid(`integers64 must be "bigint" or "number".`);
  return {
    extensions,
    hasRecords: options.records === true,
    hasSafeIntegersAsNumbers: integers64 === "number",
    depthMax: bounded("depthMax", options.depthMax ?? depthDefault, depthHighest),
    containersMax: bounded("containersMax", options.containersMax ?? containersDefault, Number.MAX_SAFE_INTEGER),
  };
}

function bounded(name: string, value: number, highest: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= highest) return value;
  throw invalid(`${name} must be a whole number from 1 to ${highest}.`);
}

function invalid(text: string): HalyardError {
  return new HalyardError("INVALID_OPTIONS", text);
}
