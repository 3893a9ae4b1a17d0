/** The dead letters of a group: a stream without limits. A walk holds a lock that lapses with its holder. */
import { type DeadLetters, HalyardError, type Verdict, type WireMessage } from "@halyard/core/spi";
import type { Control, RangeEntry } from "./control.ts";
import { Packer } from "./packer.ts";
import { inParts } from "./parts.ts";
import { packMessage, readMessage } from "./wire.ts";

/** A walk whose process died holds up the next one for so long. */
const lockMs = 10_000;
const locksPerLapse = 3;

type Visit = (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">;

export function deadLettersOf(control: Control): DeadLetters {
  const { commands, settings, assertAlive } = control;
  const streamOf = (group: string): string => commands.root + settings.names.dead + group;
  return {
    async count(group, signal) {
      assertAlive(signal);
      return Number(await commands.call("XLEN", streamOf(group)));
    },
    async purge(group, signal) {
      assertAlive(signal);
      // Approximate trimming would leave some; to 0 it is exact, and the answer is how many went.
      return Number(await commands.call("XTRIM", streamOf(group), "MAXLEN", 0));
    },
    async walk(group, options, visit) {
      assertAlive(options.signal);
      const walk = new Walk(control, group, streamOf(group));
      await walk.lock();
      try {
        await walk.run(options, visit);
      } finally {
        await walk.free();
      }
    },
  };
}

interface Judged {
  readonly id: string;
  /** Undefined: removed. */
  readonly redrive: WireMessage | undefined;
}

class Walk {
  readonly #control: Control;
  readonly #group: string;
  readonly #stream: string;
  readonly #token: string;
  #cancel: () => void = () => undefined;

  constructor(control: Control, group: string, stream: string) {
    this.#control = control;
    this.#group = group;
    this.#stream = stream;
    this.#token = `${control.host.clientName}.${Math.floor(control.host.random() * 36 ** 10).toString(36)}`;
  }

  async lock(): Promise<void> {
    if (!(await this.#lock("take"))) throw busy(this.#group);
    this.#keep();
  }

  async run({ pageMax, signal }: { readonly pageMax: number; readonly signal: AbortSignal }, visit: Visit): Promise<void> {
    const { commands, assertAlive, ended } = this.#control;
    for (let from = "-"; ; ) {
      assertAlive(signal);
      const entries = (await commands.callBytes("XRANGE", this.#stream, from, "+", "COUNT", Math.max(1, pageMax))) as readonly RangeEntry[];
      const ids = entries.map(([id]) => String(id));
      const last = ids.at(-1);
      if (last === undefined) return;
      from = `(${last}`;
      const page = entries.map(([id, values]) => readMessage(values ?? [], { entryId: String(id), topic: this.#group }));
      const verdicts = await visited(page, visit, [signal, ended]);
      assertAlive(signal);
      if (verdicts === "stop") return;
      await this.#judge(ids, verdicts);
    }
  }

  async free(): Promise<void> {
    this.#cancel();
    await this.#lock("free").catch(() => undefined); // it lapses by itself
  }

  async #judge(ids: readonly string[], verdicts: readonly Verdict[]): Promise<void> {
    const judged = ids.flatMap((id, index): readonly Judged[] => {
      const verdict = verdicts[index] ?? "keep";
      return verdict === "keep" ? [] : [{ id, redrive: verdict === "remove" ? undefined : verdict.redrive }];
    });
    for (const part of inParts(judged, ({ redrive }) => redrive?.body.byteLength ?? 0)) await this.#judgePart(part);
  }

  async #judgePart(part: readonly Judged[]): Promise<void> {
    const { commands, scripts } = this.#control;
    const packer = new Packer();
    packer.array(part.length * 3);
    for (const { id, redrive } of part) {
      packer.text(id);
      packer.text(redrive === undefined ? "remove" : "redrive");
      const nested = packer.beginNested();
      if (redrive !== undefined) packMessage(packer, redrive);
      packer.endNested(nested);
    }
    const result = await commands.run(scripts.judge, [this.#group, this.#token, lockMs, packer.take()]);
    if (result === 0) throw busy(this.#group);
    if (result === 5)
      throw new HalyardError("NO_SUCH_GROUP", `There is no group ${this.#group} to redrive to: define it or subscribe to it first.`, {
        details: { group: this.#group },
      });
  }

  /** A visitor may take long. */
  #keep(): void {
    this.#cancel = this.#control.host.clock.after(lockMs / locksPerLapse, () => {
      this.#keep();
      this.#lock("keep").catch(() => undefined); // the next verdicts find out
    });
  }

  async #lock(what: "take" | "keep" | "free"): Promise<boolean> {
    const { commands, scripts } = this.#control;
    return Number(await commands.run(scripts.lock, [what, `walk:${this.#group}`, this.#token, lockMs])) > 0;
  }
}

/** What the visitor says, unless the walk is aborted before. */
function visited(page: readonly WireMessage[], visit: Visit, signals: readonly AbortSignal[]): Promise<readonly Verdict[] | "stop"> {
  return new Promise((resolve, reject) => {
    // `stop` leaves the page as it is; the caller finds out why and rejects.
    const onAbort = (): void => resolve("stop");
    for (const signal of signals) signal.addEventListener("abort", onAbort, { once: true });
    const unlisten = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", onAbort);
    };
    // Called inside the promise chain, so that a visitor that throws at once is no different from one that rejects.
    Promise.resolve(page).then(visit).then(resolve, reject).finally(unlisten);
  });
}

const busy = (group: string): HalyardError =>
  new HalyardError("BUSY", `Somebody walks the dead letters of ${group} already: try again later.`, { details: { group } });
