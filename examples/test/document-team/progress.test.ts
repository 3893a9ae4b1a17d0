import { describe, expect, it } from "vitest";
import { bar, type Output, printable, progressText, Screen } from "../../document-team/progress.ts";

function screen(output: Partial<Output>, environment: Record<string, string> = {}) {
  const written: string[] = [];
  let nowMs = 0;
  const made = new Screen({ ...output, write: (text) => written.push(text) }, environment, () => nowMs);
  return { screen: made, written, pass: (ms: number) => (nowMs += ms) };
}

const half = { done: 50, total: 100, deadLetters: 1, elapsedMs: 2_345 };

describe("progress", () => {
  it("is a line with numbers, also while nobody knows how many there are", () => {
    expect(progressText(half)).toBe("50 of 100 documents (50 %), 1 dead letter, 2.3 s");
    expect(progressText({ ...half, total: undefined, deadLetters: 0 })).toBe("50 of ? documents, 2.3 s");
    expect(bar(half, 10)).toBe("[#####.....]");
    expect(bar({ ...half, done: 500 }, 10)).toBe("[##########]");
    expect(bar({ ...half, total: 0 }, 4)).toBe("[....]");
  });

  it("is written over on a terminal, and gives way to what is said", () => {
    const { screen: made, written, pass } = screen({ isTTY: true, columns: 40 });
    made.progress(half);
    made.progress(half); // too soon
    pass(60);
    made.progress(half);
    made.say("something");
    expect(written).toHaveLength(4);
    expect(written[0]?.length).toBe(40); // the carriage return, and one column is left free
    expect(written[2]).toBe(`\r${" ".repeat(39)}\r`);
    expect(written[3]).toBe("something\n");
  });

  it("is a plain line now and then where it cannot be written over", () => {
    const { screen: made, written, pass } = screen({ isTTY: false });
    for (let count = 0; count < 100; count++) {
      made.progress(half);
      pass(50);
    }
    made.progress({ ...half, done: 100 }, true);
    expect(written.length).toBe(4);
    for (const control of ["\r", "\u{1b}"]) expect(written.join("")).not.toContain(control);
  });
});

describe("colours", () => {
  it("are only on a terminal that wants them", () => {
    expect(screen({ isTTY: true }).screen.paint("red", "x")).toBe("\u{1b}[31mx\u{1b}[39m");
    expect(screen({ isTTY: true }, { NO_COLOR: "1" }).screen.paint("red", "x")).toBe("x");
    expect(screen({ isTTY: true }, { NO_COLOR: "" }).screen.paint("red", "x")).not.toBe("x");
    expect(screen({ isTTY: true }, { TERM: "dumb" }).screen.paint("red", "x")).toBe("x");
    expect(screen({}).screen.paint("red", "x")).toBe("x");
  });
});

it("names of files cannot steer the terminal", () => {
  expect(printable("a\u{1b}[2Jb\r\nc\u{9b}d äö 🐈.md")).toBe("a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d äö 🐈.md");
});
