import type { BackendEvent, Clock, Host, PublishRequest, SubscribeRequest, TopicPattern, WireMessage } from "@halyard/core/spi";
import { parsePattern } from "@halyard/core/spi";

export const patterns = (...texts: string[]): TopicPattern[] => texts.map((text) => parsePattern(text));

export function wireMessage(id: string, fields: Partial<WireMessage> = {}): WireMessage {
  return {
    topic: "task.new",
    id,
    timeMs: 1_000,
    attempt: 1,
    contentType: "application/json",
    body: new Uint8Array([1, 2, 3]),
    headers: {},
    priority: 4,
    persistent: true,
    ...fields,
  };
}

export const never: AbortSignal = new AbortController().signal;
export const fresh: PublishRequest = { signal: never, isFirstSend: true };
export const perhapsRepeated: PublishRequest = { signal: never };

export function groupRequest(name: string, fields: Partial<SubscribeRequest["group"]> = {}, inFlightMax = 100, texts: string[] = ["#"]): SubscribeRequest {
  return { patterns: patterns(...texts), inFlightMax, group: { name, from: "new", exclusive: false, ...fields } };
}

/** A clock that stands still until it is told to go on; timers run in order of their due time. */
export class StillClock implements Clock {
  #nowMs = 0;
  readonly #startMs: number;
  readonly timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();

  constructor(startMs = 0) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return 1_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#startMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined) break;
      this.timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

export interface TestHost extends Host {
  readonly clock: StillClock;
  readonly events: BackendEvent[];
}

export function testHost(clock = new StillClock(), namespace = "test"): TestHost {
  const events: BackendEvent[] = [];
  return { namespace, clientName: "tester", clock, random: () => 0.25, report: (event) => events.push(event), events };
}
