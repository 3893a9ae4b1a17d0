/** What was asked and not yet answered. Numbers of 32 bits that come round after four thousand million; by then the old ones are answered. */
import { HalyardError } from "@halyard/core/spi";
import type { ByteReader } from "../protocol/byte-reader.ts";

export interface OpenRequest {
  /** For errors: what was asked. */
  readonly what: string;
  /** Monotonic time after which nobody waits any more. */
  readonly dueMs: number;
  /** All that was asked was done; nothing more to say. */
  done(): void;
  /** The answer, of the frame type given. */
  answered(type: number, reader: ByteReader): void;
  failed(error: Error): void;
}

export class Requests {
  readonly #open = new Map<number, OpenRequest>();
  #last = 0;

  get count(): number {
    return this.#open.size;
  }

  add(request: OpenRequest): number {
    do this.#last = (this.#last + 1) >>> 0;
    while (this.#open.has(this.#last));
    this.#open.set(this.#last, request);
    return this.#last;
  }

  get(id: number): OpenRequest | undefined {
    return this.#open.get(id);
  }

  /** Forgets it and hands it out; undefined where nobody waits any more. */
  take(id: number): OpenRequest | undefined {
    const request = this.#open.get(id);
    this.#open.delete(id);
    return request;
  }

  /** Fails what is overdue. */
  expire(nowMs: number): void {
    for (const [id, request] of this.#open) {
      if (request.dueMs > nowMs) continue;
      this.#open.delete(id);
      request.failed(new HalyardError("TIMEOUT", `The embedded server did not answer in time (${request.what}).`));
    }
  }

  failAll(error: Error): void {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const request of all) request.failed(error);
  }
}
