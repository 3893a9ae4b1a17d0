/**
 * What people see: lines, and below them one line of progress that is written over. Where the output is no terminal, progress is a plain line now and then;
 * escape codes are only ever colours, and only where they are wanted.
 */
import type { WriteStream } from "node:tty";

export interface Progress {
  readonly done: number;
  /** `undefined` as long as nobody knows. */
  readonly total: number | undefined;
  readonly deadLetters: number;
  readonly elapsedMs: number;
}

export type Colour = "bold" | "red" | "green" | "yellow" | "dim";

const codes: Readonly<Record<Colour, readonly [number, number]>> = { bold: [1, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], dim: [2, 22] };

/** Between two lines of progress where they cannot be written over. */
const plainLineMs = 2_000;
/** Where the terminal does not say how wide it is: some say 0. */
const columnsDefault = 80;
/** Between two repaints. */
const repaintMs = 50;

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export class Screen {
  readonly #output: Output;
  readonly #isTerminal: boolean;
  readonly #hasColours: boolean;
  readonly #nowMs: () => number;
  #painted = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(output: Output | WriteStream, environment: Readonly<Record<string, string | undefined>>, nowMs: () => number = () => performance.now()) {
    this.#output = output;
    this.#isTerminal = output.isTTY === true && environment.TERM !== "dumb";
    // https://no-color.org: set and not empty.
    this.#hasColours = this.#isTerminal && (environment.NO_COLOR ?? "") === "";
    this.#nowMs = nowMs;
  }

  say(line = ""): void {
    this.#clear();
    this.#output.write(`${line}\n`);
  }

  /** Shown at most every few moments; the last one of a piece of work by `isLast`. */
  progress(progress: Progress, isLast = false): void {
    const nowMs = this.#nowMs();
    if (!isLast && nowMs - this.#lastMs < (this.#isTerminal ? repaintMs : plainLineMs)) return;
    this.#lastMs = nowMs;
    if (!this.#isTerminal) {
      this.#output.write(`${progressText(progress)}\n`);
      return;
    }
    const line = `${bar(progress, 30)} ${progressText(progress)}`.slice(0, (this.#output.columns || columnsDefault) - 1);
    this.#output.write(`\r${line.padEnd(this.#painted)}`);
    this.#painted = line.length;
    if (isLast) this.#keep();
  }

  paint(colour: Colour, text: string): string {
    const [on, off] = codes[colour];
    return this.#hasColours ? `\u{1b}[${on}m${text}\u{1b}[${off}m` : text;
  }

  /** Blanks, not an escape code: those may be unwanted. */
  #clear(): void {
    if (this.#painted > 0) this.#output.write(`\r${" ".repeat(this.#painted)}\r`);
    this.#painted = 0;
  }

  #keep(): void {
    this.#output.write("\n");
    this.#painted = 0;
  }
}

export function progressText({ done, total, deadLetters, elapsedMs }: Progress): string {
  const share = total === undefined || total === 0 ? "" : ` (${Math.floor((done / total) * 100)} %)`;
  const dead = deadLetters === 0 ? "" : `, ${deadLetters} dead ${deadLetters === 1 ? "letter" : "letters"}`;
  return `${done} of ${total ?? "?"} documents${share}${dead}, ${(elapsedMs / 1_000).toFixed(1)} s`;
}

export function bar({ done, total }: Progress, width: number): string {
  const share = total === undefined || total === 0 ? 0 : Math.min(1, done / total);
  const full = Math.floor(share * width);
  return `[${"#".repeat(full)}${".".repeat(width - full)}]`;
}

/** A name that came from outside, without what could steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}]/gu, "\u{fffd}");
}
