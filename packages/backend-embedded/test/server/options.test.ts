import { isHalyardError } from "@halyard/core/spi";
import { describe, expect, test } from "vitest";
import { type EmbeddedOptions, embedded } from "../../src/embedded.ts";
import { type EmbeddedServerOptions, resolveServerOptions } from "../../src/server/options.ts";

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isHalyardError(error, "INVALID_OPTIONS")) return error.message;
    throw error;
  }
  return "";
}

describe("options of the server", () => {
  test("refuse an address that others can reach unless clients must prove themselves, and say which option helps", () => {
    for (const host of ["0.0.0.0", "::", "192.168.1.5", "my-host"]) {
      expect(messageOf(() => resolveServerOptions({ host }))).toMatch(/give the option token, or tls with ca/);
      expect(messageOf(() => resolveServerOptions({ host, tls: { cert: "c", key: "k" } }))).toMatch(/token/);
      expect(resolveServerOptions({ host, token: "secret" }).listen?.host).toBe(host);
      expect(resolveServerOptions({ host, tls: { cert: "c", key: "k", ca: "a" } }).listen?.host).toBe(host);
    }
    for (const host of ["127.0.0.1", "127.8.9.1", "::1", "localhost"]) expect(resolveServerOptions({ host }).listen?.host).toBe(host);
  });

  test("of the wrong type or out of range are refused by name, and never show a token", () => {
    const wrong: readonly [string, object][] = [
      ["port", { port: 70_000 }],
      ["connectionsMax", { connectionsMax: 0 }],
      ["frameBytesMax", { frameBytesMax: 1 }],
      ["helloTimeoutMs", { helloTimeoutMs: "10" }],
      ["socketPath", { socketPath: "relative.sock" }],
      ["socketPath", { socketPath: `/${"x".repeat(200)}` }],
      ["token", { token: "" }],
      ["prot", { prot: 1 }],
    ];
    for (const [name, options] of wrong) expect(messageOf(() => resolveServerOptions(options as EmbeddedServerOptions))).toContain(name);
    expect(messageOf(() => resolveServerOptions({ token: "s3cret".repeat(1_000) }))).not.toContain("s3cret");
  });
});

describe("options of the client", () => {
  test("that are wrong or contradict each other are refused at the call", () => {
    const wrong: readonly [string, object][] = [
      ["port", { port: 0 }],
      ["either socketPath or port", { port: 1, socketPath: "/tmp/a.sock" }],
      ["tls cannot be combined with autoStart", { tls: {}, autoStart: true }],
      ["host cannot be combined with autoStart", { host: "10.0.0.1", autoStart: true }],
      ["verification cannot be switched off", { tls: { rejectUnauthorized: false }, autoStart: false }],
      ["waitingIdleMs must not be below idleMs", { idleMs: 10_000, waitingIdleMs: 1_000 }],
      ["heartbeatMs", { heartbeatMs: 1 }],
      ["server has no option", { server: { port: 4 } }],
      ["autoStart", { autoStart: "yes" }],
      ["no option", { url: "x" }],
    ];
    for (const [text, options] of wrong) expect(messageOf(() => embedded(options as EmbeddedOptions))).toContain(text);
  });

  test("may all be left out", () => {
    expect(embedded().name).toBe("embedded");
  });
});
