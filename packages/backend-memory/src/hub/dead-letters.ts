/** The dead letters of one group, oldest first. They outlive the group: the hub keeps them by its name. */
import type { WireMessage } from "@halyard/core/spi";

export interface Letter {
  readonly message: WireMessage;
  readonly bytes: number;
  readonly sequence: number;
}

export class Letters {
  /** A set keeps the order of arrival, removes in constant time, and may be changed while somebody walks it. */
  readonly #letters = new Set<Letter>();
  /** How many copies each id has: one id is one letter, also where a crash has left it twice. */
  readonly #copies = new Map<string, number>();
  #sequence = 0;

  /** Distinct ids. */
  get count(): number {
    return this.#copies.size;
  }

  get copies(): number {
    return this.#letters.size;
  }

  add(message: WireMessage, bytes: number): void {
    this.#letters.add({ message, bytes, sequence: this.#sequence++ });
    this.#copies.set(message.id, (this.#copies.get(message.id) ?? 0) + 1);
  }

  /** False when it has gone already, e.g. by a purge. */
  remove(letter: Letter): boolean {
    if (!this.#letters.delete(letter)) return false;
    const copies = (this.#copies.get(letter.message.id) ?? 1) - 1;
    if (copies > 0) this.#copies.set(letter.message.id, copies);
    else this.#copies.delete(letter.message.id);
    return true;
  }

  /** In pages, up to the letter that is the last one now: what a redrive brings back during the walk would make it endless. */
  *pages(pageMax: number): Generator<readonly Letter[], void, void> {
    const end = this.#sequence;
    let page: Letter[] = [];
    for (const letter of this.#letters) {
      if (letter.sequence >= end) break;
      page.push(letter);
      if (page.length < pageMax) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  all(): readonly Letter[] {
    return [...this.#letters];
  }
}
