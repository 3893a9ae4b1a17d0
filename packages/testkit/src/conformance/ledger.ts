/** Accepted − (handled ∪ dead) must be empty: whatever breaks, no message that was accepted is lost. */
import assert from "node:assert/strict";
import type { Bus } from "@halyard/core";
import type { World } from "./world.ts";

export class Ledger {
  readonly accepted = new Set<string>();
  readonly rejected: unknown[] = [];
  readonly handled = new Map<string, number>();

  /** Publishes and notes what became of it. Never rejects. */
  async publish(bus: Bus, topic: string, id: string, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    try {
      await bus.publish(topic, { id }, { id, ...options });
      this.accepted.add(id);
    } catch (error) {
      this.rejected.push(error);
    }
  }

  readonly note = (message: { readonly id: string }): void => {
    this.handled.set(message.id, (this.handled.get(message.id) ?? 0) + 1);
  };

  /** Accepted, neither handled nor dead. */
  missing(dead: ReadonlySet<string> = new Set()): readonly string[] {
    return [...this.accepted].filter((id) => !this.handled.has(id) && !dead.has(id));
  }

  /** Waits until the books are closed. `bus`: where the group's dead letters are looked up. */
  async closes(world: World, bus: Bus, group: string): Promise<void> {
    let dead: ReadonlySet<string> = new Set();
    await world.until(
      async () => {
        if (this.missing().length > 0) dead = new Set((await bus.deadLetters(group).list({ limit: 10_000 })).map((letter) => letter.id));
        return this.missing(dead).length === 0;
      },
      () => `every accepted message is handled or dead; ${this.missing(dead).length} of ${this.accepted.size} are lost, e.g. ${this.missing(dead)[0]}`,
    );
    assert.ok(this.accepted.size > 0, "no publish was accepted at all");
  }
}
