/** Runs `python/run.py`: MessagePack and frames as Python's own modules and QuantaCirc's serializer see them. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findPython } from "../../../vitest.reference-tools.ts";

const found = findPython();
export const hasPython: boolean = found !== undefined;

const script = fileURLToPath(new URL("python/run.py", import.meta.url));

/** What Python writes for this input. */
export function python(parameters: readonly string[], input: Uint8Array | string): Buffer {
  // -B: leaves no compiled files behind in the repository.
  const result = spawnSync(found ?? "python3", ["-B", script, ...parameters], { input, maxBuffer: 64 * 1024 * 1024 });
  if (result.status !== 0) throw new Error(`Python ended with ${result.status}: ${result.stderr.toString()}`);
  return result.stdout;
}
