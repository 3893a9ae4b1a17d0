/** Dead-letter walks of one client: the backend shows a page, the client sees it, its verdicts come back in a frame of their own. */
import { HalyardError, type Session, type Verdict, type WireMessage } from "@halyard/core/spi";
import type { ByteReader } from "../protocol/byte-reader.ts";
import { verdicts } from "../protocol/frames.ts";
import type { Link } from "../protocol/link.ts";
import type { MessageReader } from "../protocol/message-reader.ts";
import { readOne } from "../protocol/settlements.ts";
import { isCount } from "../protocol/subscribe-request.ts";
import { violation } from "../protocol/violation.ts";
import { groupOf, pageMessagesMax } from "./calls.ts";
import { writePageParts } from "./replies.ts";

interface Walk {
  readonly controller: AbortController;
  resolve: (verdicts: readonly Verdict[] | "stop") => void;
  reject: (error: Error) => void;
  pageMessages: number;
}

export class Walks {
  readonly #link: Link;
  readonly #walks = new Map<number, Walk>();

  constructor(link: Link) {
    this.#link = link;
  }

  /** Checks the request; what it returns runs the walk to its end. @throws PROTOCOL_ERROR */
  begin(id: number, input: Readonly<Record<string, unknown>>, session: Session): () => Promise<void> {
    const group = groupOf(input);
    const { pageMax } = input;
    if (!isCount(pageMax, 2 ** 31) || pageMax < 1) throw violation("a pageMax that is no count");
    if (this.#walks.has(id)) throw violation("a request number that is in use");
    const walk: Walk = { controller: new AbortController(), resolve: () => undefined, reject: () => undefined, pageMessages: 0 };
    const options = { pageMax: Math.min(pageMax, pageMessagesMax), signal: walk.controller.signal };
    this.#walks.set(id, walk);
    return async () => {
      try {
        await session.deadLetters.walk(group, options, (page) => this.#visit(id, walk, page));
      } finally {
        this.#walks.delete(id);
      }
    };
  }

  /** @throws PROTOCOL_ERROR */
  decide(reader: ByteReader, messages: MessageReader): void {
    const walk = this.#walks.get(reader.u32());
    const isStop = reader.u8() === 0;
    const decided: Verdict[] = [];
    while (!reader.isAtEnd) {
      const verdict = reader.u8();
      if (verdict === verdicts.redrive) decided.push({ redrive: readOne(reader, messages) });
      else if (verdict === verdicts.keep) decided.push("keep");
      else if (verdict === verdicts.remove) decided.push("remove");
      else throw violation("an unknown verdict");
    }
    if (walk === undefined) return; // the walk ended meanwhile
    if (!isStop && decided.length !== walk.pageMessages) throw violation("verdicts that do not fit their page");
    walk.resolve(isStop ? "stop" : decided);
  }

  /** The client ends one walk; nothing of the page it saw is changed. */
  cancel(reader: ByteReader): void {
    const walk = this.#walks.get(reader.u32());
    reader.finish();
    if (walk !== undefined) end(walk, "The client ended the walk.");
  }

  endAll(): void {
    for (const walk of this.#walks.values()) end(walk, "The client left during the walk.");
  }

  async #visit(id: number, walk: Walk, page: readonly WireMessage[]): Promise<readonly Verdict[] | "stop"> {
    const decided = new Promise<readonly Verdict[] | "stop">((resolve, reject) => {
      walk.resolve = resolve;
      walk.reject = reject;
    });
    decided.catch(() => undefined); // a cancellation may come while the page is still being sent
    walk.pageMessages = page.length;
    const entries = page.map((message) => ({ message, position: undefined }));
    await writePageParts(this.#link, id, entries, 0);
    if (walk.controller.signal.aborted || this.#link.isOver) end(walk, "The walk was aborted.");
    return decided;
  }
}

function end(walk: Walk, text: string): void {
  walk.controller.abort();
  walk.reject(new HalyardError("ABORTED", text));
}
