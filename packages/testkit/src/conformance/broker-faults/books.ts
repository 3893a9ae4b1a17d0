/** What the ledgers of all processes of one run say together, read on as they grow. */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Balance } from "./balance.ts";
import { type Entry, type Fact, parseEntry } from "./disk-ledger.ts";

interface File {
  position: number;
  readonly decoder: StringDecoder;
  /** A line whose end is not there yet. */
  rest: string;
}

interface GroupBooks {
  /** Handler runs that ended well, per message. */
  readonly runs: Map<string, number>;
  readonly acked: Set<string>;
  afterAck: number;
}

const chunkBytes = 1_048_576;

export class Books {
  readonly #directory: string;
  readonly #files = new Map<string, File>();
  readonly #entries: Entry[] = [];
  readonly #publishes: Readonly<Record<Extract<Fact, "attempted" | "accepted" | "refused" | "unknown">, Set<string>>>;
  readonly #groups = new Map<string, GroupBooks>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#publishes = { attempted: new Set(), accepted: new Set(), refused: new Set(), unknown: new Set() };
  }

  /** All entries so far; those of one process in their order. */
  entries(): readonly Entry[] {
    this.#readOn();
    return this.#entries;
  }

  isHandled(group: string, id: string): boolean {
    this.#readOn();
    return this.#group(group).runs.has(id);
  }

  /** @param dead - ids among the group's dead letters */
  balance(group: string, dead: ReadonlySet<string>): Balance {
    this.#readOn();
    const { runs, afterAck } = this.#group(group);
    const { attempted, accepted, refused, unknown } = this.#publishes;
    let duplicates = 0;
    for (const count of runs.values()) duplicates += count - 1;
    return {
      group,
      attempted: attempted.size,
      accepted: accepted.size,
      refused: refused.size,
      unknown: unknown.size,
      handled: runs.size,
      dead: dead.size,
      duplicates,
      afterAck,
      lost: [...accepted].filter((id) => !runs.has(id) && !dead.has(id)),
    };
  }

  #group(name: string): GroupBooks {
    let books = this.#groups.get(name);
    if (books === undefined) {
      books = { runs: new Map(), acked: new Set(), afterAck: 0 };
      this.#groups.set(name, books);
    }
    return books;
  }

  #readOn(): void {
    for (const name of readdirSync(this.#directory)) {
      if (!name.endsWith(".ledger")) continue;
      let file = this.#files.get(name);
      if (file === undefined) {
        file = { position: 0, decoder: new StringDecoder(), rest: "" };
        this.#files.set(name, file);
      }
      this.#readFile(join(this.#directory, name), file);
    }
  }

  #readFile(path: string, file: File): void {
    const descriptor = openSync(path, "r");
    const chunk = Buffer.alloc(chunkBytes);
    for (;;) {
      const count = readSync(descriptor, chunk, 0, chunkBytes, file.position);
      if (count === 0) break;
      file.position += count;
      const lines = (file.rest + file.decoder.write(chunk.subarray(0, count))).split("\n");
      file.rest = lines.pop() ?? "";
      for (const line of lines) this.#take(parseEntry(line));
    }
    closeSync(descriptor);
  }

  #take(entry: Entry): void {
    this.#entries.push(entry);
    const { fact, id } = entry;
    if (fact === "attempted" || fact === "accepted" || fact === "refused" || fact === "unknown") {
      this.#publishes[fact].add(id);
      return;
    }
    const books = this.#group(entry.group);
    if (fact === "handled") books.runs.set(id, (books.runs.get(id) ?? 0) + 1);
    else if (fact === "acked") books.acked.add(id);
    else if (fact === "delivered" && books.acked.has(id)) books.afterAck++;
  }
}
