/**
 * Events of the bus. Unlike `node:events`: typed, no special `error` event, and a listener that throws or rejects is reported and hurts neither the
 * caller nor the other listeners.
 */

/** `Events` maps the name of an event to what its listeners get. */
export class Emitter<Events extends object> {
  /** Lists are replaced, never changed: `emit` walks the list of its start, whatever listeners add or remove meanwhile. */
  readonly #listeners = new Map<keyof Events, readonly Entry[]>();
  readonly #reportFailure: (error: unknown, event: keyof Events) => void;

  /** `reportFailure` gets what a listener threw or rejected with; it must not throw itself. */
  constructor(reportFailure: (error: unknown, event: keyof Events) => void) {
    this.#reportFailure = reportFailure;
  }

  /** Returns a function that removes this listener again; calling that twice is harmless. The same function may listen twice. */
  on<Event extends keyof Events>(event: Event, listener: (value: Events[Event]) => unknown): () => void {
    const entry: Entry = { listener: listener as Entry["listener"] };
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), entry]);
    return () => {
      const rest = (this.#listeners.get(event) ?? []).filter((other) => other !== entry);
      if (rest.length > 0) this.#listeners.set(event, rest);
      else this.#listeners.delete(event);
    };
  }

  /** Calls the listeners in the order they came. Never throws. */
  emit<Event extends keyof Events>(event: Event, value: Events[Event]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    for (const { listener } of listeners) {
      try {
        const result = listener(value);
        if (result instanceof Promise) result.catch((error: unknown) => this.#reportFailure(error, event));
      } catch (error) {
        this.#reportFailure(error, event);
      }
    }
  }

  /** Lets a caller skip making the value of an event that nobody hears. */
  hasListeners(event: keyof Events): boolean {
    return this.#listeners.has(event);
  }

  /** Of one event, or of all. */
  listenerCount(event?: keyof Events): number {
    if (event !== undefined) return this.#listeners.get(event)?.length ?? 0;
    let count = 0;
    for (const listeners of this.#listeners.values()) count += listeners.length;
    return count;
  }

  removeAll(): void {
    this.#listeners.clear();
  }
}

interface Entry {
  readonly listener: (value: unknown) => unknown;
}
