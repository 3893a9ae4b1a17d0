import { expect, test } from "vitest";
import { type BusOptions, resolveBusOptions } from "../src/bus-options.ts";
import { limitDefaults, resolveLimits } from "../src/limits.ts";
import { silentLogger } from "../src/logger.ts";
import { FakeBackend } from "./fake-backend.ts";

const backend = new FakeBackend();

test("the defaults", () => {
  expect(resolveBusOptions({ backend })).toMatchObject({
    namespace: "halyard",
    source: undefined,
    middleware: [],
    limits: limitDefaults,
    closeOnSignals: [],
    logger: silentLogger,
    idRandom: undefined,
    encoding: { codec: { name: "json" }, compressor: undefined, compressionThresholdBytes: 1_024, bodyBytesMax: 16 * 1024 * 1024 },
  });
});

test("compression by name, and with its threshold", () => {
  expect(resolveBusOptions({ backend, compression: "gzip" }).encoding).toMatchObject({ compressor: { name: "gzip" }, compressionThresholdBytes: 1_024 });
  expect(resolveBusOptions({ backend, compression: { name: "brotli", thresholdBytes: 0 } }).encoding).toMatchObject({
    compressor: { name: "br" },
    compressionThresholdBytes: 0,
  });
});

test.for<[unknown, string]>([
  [{}, "INVALID_OPTIONS"],
  [{ backend: "memory" }, "INVALID_OPTIONS"],
  [{ backend: { specVersion: 2, name: "x", connect: () => undefined } }, "INVALID_OPTIONS"],
  [{ backend, backends: 1 }, "INVALID_OPTIONS"],
  [{ backend, namespace: "No" }, "INVALID_NAMESPACE"],
  [{ backend, source: "x".repeat(256) }, "INVALID_OPTIONS"],
  [{ backend, source: "\ud800" }, "INVALID_OPTIONS"],
  [{ backend, codec: "nope" }, "UNKNOWN_CODEC"],
  [{ backend, compression: "nope" }, "UNKNOWN_COMPRESSION"],
  [{ backend, compression: { name: "gzip", thresholdBytes: -1 } }, "INVALID_OPTIONS"],
  [{ backend, retry: { jitter: 5 } }, "INVALID_OPTIONS"],
  [{ backend, limits: { publishTimeoutMs: 0 } }, "INVALID_OPTIONS"],
  [{ backend, limits: { unknown: 1 } }, "INVALID_OPTIONS"],
  [{ backend, limits: { toString: 1 } }, "INVALID_OPTIONS"],
  [{ backend, closeOnSignals: "SIGTERM" }, "INVALID_OPTIONS"],
])("wrong options %# are refused", ([options, code]) => {
  expect(() => resolveBusOptions(options as BusOptions)).toThrowError(expect.objectContaining({ code }));
});

test("limits are taken one by one", () => {
  expect(resolveLimits({ closeTimeoutMs: 5 })).toEqual({ ...limitDefaults, closeTimeoutMs: 5 });
});
