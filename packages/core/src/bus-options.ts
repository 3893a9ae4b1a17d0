/** What `createBus` takes, and the checks that need no broker. */
import type { Clock } from "./clock.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { type Codec, CodecRegistry } from "./codec.ts";
import { type Compressor, CompressorRegistry, compressionThresholdBytes } from "./compression.ts";
import type { Encoding } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import { assertKnownOptions } from "./known-options.ts";
import { type Limits, resolveLimits } from "./limits.ts";
import { assertLogger, containedLogger, type Logger, silentLogger } from "./logger.ts";
import type { Middleware } from "./middleware.ts";
import { type ResolvedRetryPolicy, type RetryPolicy, resolveRetry, retryDefaults } from "./retry.ts";
import type { Backend } from "./spi/backend.ts";
import { assertNamespace } from "./topic.ts";
import type { Topics } from "./topics/define-topics.ts";
import type { TopicMap } from "./topics/topic-map.ts";

export interface BusOptions<Map extends TopicMap = TopicMap> {
  /** What `memory()`, `embedded()`, `amqp(url)` … return. */
  readonly backend: Backend;
  /** Isolates buses that share a broker, `[a-z0-9-]{1,32}`. Default `halyard`. */
  readonly namespace?: string;
  /** Written to every message as its origin, e.g. the name of the service. */
  readonly source?: string;
  /** From `defineTopics`: types publish and subscribe, and validates payloads. */
  readonly topics?: Topics<Map>;
  /** Name of the codec for messages that go out. Default `json`. */
  readonly codec?: string;
  /** More codecs to read, and to choose from. JSON is always there. */
  readonly codecs?: readonly Codec[];
  /** Name of the compressor for messages that go out, or with the size from which bodies are compressed. Default none. */
  readonly compression?: false | string | { readonly name: string; readonly thresholdBytes?: number };
  /** More compressors. gzip, deflate, br and (where the runtime has it) zstd are always there. */
  readonly compressors?: readonly Compressor[];
  /** Around publishing and handling, the outermost first. */
  readonly middleware?: readonly Middleware[];
  /** For all subscriptions, unless they say otherwise. */
  readonly retry?: RetryPolicy;
  /** Shaped like pino; `console` will do while you develop. Default: silent, so that a handler that throws is only seen in events and dead letters. */
  readonly logger?: Logger;
  /** For tests: `manualClock()` of @halyard/testkit. Default: the system's. */
  readonly clock?: Clock;
  /** Uniform in [0, 1). Given, it also makes the ids, so that a run can be repeated. */
  readonly random?: () => number;
  /** Every bound and deadline of the bus, field by field. */
  readonly limits?: Partial<Limits>;
  /** Signals on which the bus drains and closes, e.g. `["SIGTERM"]`; the process then ends by itself or by the same signal. Default none. */
  readonly closeOnSignals?: readonly NodeJS.Signals[];
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
}

export interface ResolvedBusOptions {
  readonly backend: Backend;
  readonly namespace: string;
  readonly source: string | undefined;
  readonly topics: Topics | undefined;
  readonly encoding: Encoding;
  readonly middleware: readonly Middleware[];
  readonly retry: ResolvedRetryPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** Given by the user: ids are to be repeatable. */
  readonly idRandom: (() => number) | undefined;
  readonly limits: Limits;
  readonly closeOnSignals: readonly NodeJS.Signals[];
  readonly signal: AbortSignal | undefined;
}

const known: ReadonlySet<string> = new Set([
  "backend",
  "namespace",
  "source",
  "topics",
  "codec",
  "codecs",
  "compression",
  "compressors",
  "middleware",
  "retry",
  "logger",
  "clock",
  "random",
  "limits",
  "closeOnSignals",
  "signal",
] satisfies (keyof BusOptions)[]);

/** @throws INVALID_OPTIONS, INVALID_NAMESPACE, UNKNOWN_CODEC, UNKNOWN_COMPRESSION */
export function resolveBusOptions(options: BusOptions): ResolvedBusOptions {
  assertKnownOptions("createBus", options, known);
  const { backend, namespace = "halyard", source } = options;
  if (typeof backend !== "object" || backend === null || backend.specVersion !== 1 || typeof backend.connect !== "function") {
    throw new HalyardError(
      "INVALID_OPTIONS",
      "backend must be what a backend package returns, e.g. memory() of @halyard/backend-memory, for this version of @halyard/core.",
    );
  }
  assertNamespace(namespace);
  if (source !== undefined && (typeof source !== "string" || !source.isWellFormed() || Buffer.byteLength(source) > 255))
    throw new HalyardError("INVALID_OPTIONS", "source must be a string of at most 255 bytes in UTF-8.");
  for (const name of ["codecs", "compressors", "middleware", "closeOnSignals"] as const)
    if (options[name] !== undefined && !Array.isArray(options[name])) throw new HalyardError("INVALID_OPTIONS", `${name} must be a list.`);
  if (options.logger !== undefined) assertLogger(options.logger);
  const limits = resolveLimits(options.limits);
  return {
    backend,
    namespace,
    source,
    topics: options.topics,
    encoding: encodingOf(options, limits),
    middleware: options.middleware ?? [],
    retry: resolveRetry(options.retry, retryDefaults),
    logger: containedLogger(options.logger ?? silentLogger),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    idRandom: options.random,
    limits,
    closeOnSignals: options.closeOnSignals ?? [],
    signal: options.signal,
  };
}

function encodingOf(options: BusOptions, limits: Limits): Encoding {
  const { compression = false } = options;
  const codecs = new CodecRegistry(options.codecs);
  const compressors = new CompressorRegistry(options.compressors);
  const name = compression === false ? undefined : typeof compression === "string" ? compression : compression.name;
  const thresholdBytes = typeof compression === "object" ? (compression.thresholdBytes ?? compressionThresholdBytes) : compressionThresholdBytes;
  if (!(thresholdBytes >= 0)) throw new HalyardError("INVALID_OPTIONS", "compression.thresholdBytes must be a number from 0.");
  return {
    codecs,
    compressors,
    codec: codecs.named(options.codec ?? "json"),
    compressor: name === undefined ? undefined : compressors.named(name),
    compressionThresholdBytes: thresholdBytes,
    bodyBytesMax: limits.bodyBytesMax,
  };
}
