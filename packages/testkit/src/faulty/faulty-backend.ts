import type { Backend } from "@halyard/core/spi";

/** A backend that breaks one promise, and keeps the others as far as that goes. */
export interface FaultyBackend {
  readonly promise: number;
  /** What it does wrong, as the end of "a backend that …". */
  readonly name: string;
  /** Breaks a good backend. */
  wrap(backend: Backend): Backend;
}
