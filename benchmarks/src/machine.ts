/** Which machine a figure belongs to: without that it says nothing. */
import { cpus, totalmem } from "node:os";
import process from "node:process";
import { payloadFactory } from "./payload.ts";

export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  /** One payload of 256 B to bytes and back by the plainest calls, µs: most of what every JSON scenario costs, so machines can be compared by it. */
  readonly jsonMicroseconds: number;
}

/** Asks the machine, and times its JSON. */
export function describeMachine(): Machine {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    jsonMicroseconds: timeJson(),
  };
}

/** Name of a machine in the name of a result file. */
export function machineSlug({ cpu, cores }: Machine): string {
  const name = cpu
    .toLowerCase()
    .replace(/\(r\)|\(tm\)|cpu|processor|@.*$/g, " ")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return `${name}-${cores}-cores`;
}

/** The fastest of five times 50,000: what the machine can do where nothing disturbs it. */
function timeJson(): number {
  const count = 50_000;
  const payload = payloadFactory(256);
  let fastest = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let round = 0; round < 5; round++) {
    const startMs = performance.now();
    for (let index = 0; index < count; index++) {
      // What was written is read back as the same shape.
      sum += (JSON.parse(Buffer.from(JSON.stringify(payload(index))).toString()) as { words: number }).words;
    }
    fastest = Math.min(fastest, ((performance.now() - startMs) / count) * 1e3);
  }
  // The sum is used, so that no compiler may leave the work out.
  return sum > 0 ? Math.round(fastest * 100) / 100 : Number.NaN;
}
