import { describe, expect, it } from "vitest";
import { readArguments, usage } from "../../document-team/arguments.ts";
import { backendNames, backends, placeAt } from "../../document-team/backends.ts";
import { UsageError } from "../../document-team/usage-error.ts";

const read = (...line: readonly string[]) => readArguments(line, "/here");

describe("the command line", () => {
  it("has defaults for everything", () => {
    expect(read()).toEqual({
      folder: undefined,
      workers: 3,
      backend: "embedded",
      url: undefined,
      bytesMax: 262_144,
      output: "/here/halyard-report/demo",
      flakyPercent: 2,
      kills: true,
    });
  });

  it("takes paths from where it was typed", () => {
    expect(read("--folder", "docs", "--output=/out")).toMatchObject({ folder: "/here/docs", output: "/out" });
  });

  it("takes every option that the help names", () => {
    const line = ["--workers", "5", "--backend", "memory", "--max-bytes", "1000", "--flaky", "0", "--no-kill"];
    expect(read(...line)).toMatchObject({ workers: 5, backend: "memory", bytesMax: 1_000, flakyPercent: 0, kills: false });
    expect(read("--help")).toBe("help");
    for (const option of ["--folder", "--workers", "--backend", "--url", "--max-bytes", "--output", "--flaky", "--no-kill", "--help"])
      expect(usage).toContain(option);
  });

  it.each([
    ["amqp", "amqp://guest:guest@localhost/shop"],
    ["amqp", "amqps://rabbit.example:5671"],
    ["redis-streams", "redis://localhost:6379"],
    ["redis-streams", "rediss://:secret@redis.example"],
    ["nats", "nats://localhost:4222"],
    ["nats", "tls://nats.example"],
  ])("takes for the backend %s the broker at %s", (backend, url) => {
    expect(read("--backend", backend, "--url", url)).toMatchObject({ backend, url });
  });

  it.each([
    ["amqp", "redis://localhost"],
    ["redis-streams", "localhost:6379"],
    ["nats", "http://localhost:4222"],
    ["nats", "nats://"],
    ["amqp", "amqp://guest:secret@"],
    ["amqp", "secret"],
  ])("refuses for the backend %s the URL %s, and does not repeat it", (backend, url) => {
    const reading = () => read("--backend", backend, "--url", url);
    expect(reading).toThrow(UsageError);
    expect(reading).toThrow(`${backends[backend as "amqp"].protocols[0]}//`);
    expect(reading).not.toThrow("secret");
  });

  it.each(["memory", "embedded"])("takes no URL for the backend %s", (backend) => {
    expect(() => read("--backend", backend, "--url", "redis://localhost")).toThrow("--url needs --backend amqp, redis-streams or nats");
  });

  it("names every backend in the help", () => {
    for (const name of backendNames) expect(usage).toContain(`${name}: `);
    for (const { help } of Object.values(backends)) expect(usage).toContain(help);
    for (const line of usage.split("\n")) expect(line.length).toBeLessThan(121);
  });

  it("shows where a broker is, and not who may use it", () => {
    expect(placeAt("amqp://user:secret@rabbit.example:5671/shop")).toMatchObject({ title: "the broker at amqp://rabbit.example:5671" });
  });

  it.each([
    [["--workers", "0"], "--workers must be a whole number from 1 to 64"],
    [["--workers", "65"], "--workers must be"],
    [["--workers", "two"], '"two"'],
    [["--workers", "1.5"], "--workers must be"],
    [["--workers", "-1"], "--workers"],
    [["--max-bytes", "1e3"], "--max-bytes must be"],
    [["--flaky", "101"], "--flaky must be"],
    [["--backend", "kafka"], "--backend must be embedded, memory, amqp, redis-streams or nats"],
    [["--folder"], "--folder"],
    [["--unknown"], "--unknown"],
    [["stray"], "stray"],
  ])("refuses %j", (line, text) => {
    expect(() => read(...line)).toThrow(UsageError);
    expect(() => read(...line)).toThrow(text);
  });
});
