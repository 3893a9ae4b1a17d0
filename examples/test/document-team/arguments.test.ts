import { describe, expect, it } from "vitest";
import { readArguments, UsageError, usage } from "../../document-team/arguments.ts";

const read = (...line: readonly string[]) => readArguments(line, "/here");

describe("the command line", () => {
  it("has defaults for everything", () => {
    expect(read()).toEqual({
      folder: undefined,
      workers: 3,
      backend: "embedded",
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
    for (const option of ["--folder", "--workers", "--backend", "--max-bytes", "--output", "--flaky", "--no-kill", "--help"]) expect(usage).toContain(option);
  });

  it.each(["amqp", "redis-streams", "nats"])("says that the backend %s is not there yet", (name) => {
    expect(() => read("--backend", name)).toThrow(`--backend ${name} is not yet in this version; use embedded or memory`);
  });

  it.each([
    [["--workers", "0"], "--workers must be a whole number from 1 to 64"],
    [["--workers", "65"], "--workers must be"],
    [["--workers", "two"], '"two"'],
    [["--workers", "1.5"], "--workers must be"],
    [["--workers", "-1"], "--workers"],
    [["--max-bytes", "1e3"], "--max-bytes must be"],
    [["--flaky", "101"], "--flaky must be"],
    [["--backend", "kafka"], "--backend must be embedded or memory"],
    [["--folder"], "--folder"],
    [["--unknown"], "--unknown"],
    [["stray"], "stray"],
  ])("refuses %j", (line, text) => {
    expect(() => read(...line)).toThrow(UsageError);
    expect(() => read(...line)).toThrow(text);
  });
});
