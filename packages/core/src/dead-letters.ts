/** `bus.deadLetters(group)`: everything is a walk over the letters, since every backend can walk; looking never uses a letter up. */
import { type Encoding, type PublishOptions, pack } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import { assertKnownOptions } from "./known-options.ts";
import { type DeadLetter, fromLetter, readLetter, timesRedriven } from "./letter.ts";
import type { Session } from "./spi/backend.ts";
import type { Verdict } from "./spi/control.ts";
import type { WireMessage } from "./spi/message.ts";
import { assertMessageId, shown } from "./topic.ts";

/** What `handle`'s function decides about one letter. A new payload replaces the old one before the message is tried again. */
export type LetterDecision = "keep" | "remove" | "redrive" | { readonly redrive: { readonly payload: unknown } };

export interface GroupDeadLetters {
  readonly group: string;
  /** Letters; where a crash left one twice it counts twice only if the broker cannot tell. */
  count(): Promise<number>;
  /** Oldest first, one entry an id. `limit` defaults to 100. */
  list(options?: { readonly limit?: number }): Promise<readonly DeadLetter[]>;
  /** The letter of that id, if there is one. */
  get(id: string): Promise<DeadLetter | undefined>;
  /** Puts letters back into their group's inbox, attempt 1, never taken for duplicates. Returns how many messages. `payload` replaces that of one letter. */
  redrive(ids: string | readonly string[] | "all", options?: { readonly payload?: unknown }): Promise<number>;
  /** Returns how many messages were removed. */
  remove(ids: string | readonly string[]): Promise<number>;
  /** Returns how many letters were removed. */
  purge(): Promise<number>;
  /** Walks all letters, oldest first, and does what `decide` says about each. Returns how many met which fate. */
  handle(
    decide: (letter: DeadLetter) => LetterDecision | Promise<LetterDecision>,
  ): Promise<{ readonly kept: number; readonly removed: number; readonly redriven: number }>;
}

/** Letters read at once. */
const pageMax = 100;

const listNames: ReadonlySet<string> = new Set(["limit"]);
const redriveNames: ReadonlySet<string> = new Set(["payload"]);

type OwnStep = <Value>(step: () => Promise<Value>) => Promise<Value>;

export interface DeadLettersParts {
  readonly encoding: Encoding;
  readonly carriesValues: () => boolean;
  /** Runs a call of the control plane on the current session, within the request deadline for each step. */
  call<Value>(what: string, run: (session: Session, signal: AbortSignal) => Promise<Value>): Promise<Value>;
  /** As `call`, for a walk, which may take long as a whole: each step of the broker's has the request deadline, steps inside `ours` have none. */
  walk<Value>(what: string, run: (session: Session, signal: AbortSignal, ours: OwnStep) => Promise<Value>): Promise<Value>;
}

export function deadLettersOf(group: string, parts: DeadLettersParts): GroupDeadLetters {
  const { encoding } = parts;

  async function walk(what: string, visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">): Promise<void> {
    await parts.walk(`${what} of group ${group}`, ({ deadLetters }, signal, ours) =>
      deadLetters.walk(group, { pageMax, signal }, (page) => ours(() => visit(page))),
    );
  }

  /**
   * One message may be there several times under one id: each copy gets the same fate, and only one of them is redriven. What was redriven by this walk,
   * failed again and is met again as a letter is no copy: it stays.
   */
  async function decideEach(
    what: string,
    decide: (letter: DeadLetter) => LetterDecision | Promise<LetterDecision>,
  ): Promise<{ kept: number; removed: number; redriven: number }> {
    const fates = new Map<string, { readonly fate: "keep" | "remove"; readonly redriven: number | undefined }>();
    const totals = { kept: 0, removed: 0, redriven: 0 };
    await walk(what, async (page) => {
      const verdicts: Verdict[] = [];
      for (const wire of page) {
        const known = fates.get(wire.id);
        if (known !== undefined) {
          verdicts.push(known.redriven !== undefined && timesRedriven(wire) > known.redriven ? "keep" : known.fate);
          continue;
        }
        const verdict = verdictOf(wire, await decide(readLetter(wire, group, 1, encoding)), parts);
        fates.set(wire.id, { fate: verdict === "keep" ? "keep" : "remove", redriven: typeof verdict === "object" ? timesRedriven(wire) : undefined });
        totals[verdict === "keep" ? "kept" : verdict === "remove" ? "removed" : "redriven"]++;
        verdicts.push(verdict);
      }
      return verdicts;
    });
    return totals;
  }

  return {
    group,
    count: () => parts.call(`Counting the dead letters of group ${group}`, ({ deadLetters }, signal) => deadLetters.count(group, signal)),
    purge: () => parts.call(`Purging the dead letters of group ${group}`, ({ deadLetters }, signal) => deadLetters.purge(group, signal)),

    async list(options = {}) {
      assertKnownOptions("list", options, listNames);
      const { limit = 100 } = options;
      if (!(typeof limit === "number" && limit >= 1)) throw new HalyardError("INVALID_OPTIONS", "limit must be a number from 1.");
      const found = new Map<string, { wire: WireMessage; copies: number }>();
      await walk("Listing the dead letters", async (page) => {
        for (const wire of page) {
          const known = found.get(wire.id);
          if (known !== undefined) known.copies++;
          else if (found.size < limit) found.set(wire.id, { wire, copies: 1 });
          else return "stop";
        }
        return page.map(() => "keep" as const);
      });
      return [...found.values()].map(({ wire, copies }) => readLetter(wire, group, copies, encoding));
    },

    async get(id) {
      assertMessageId(id);
      let found: WireMessage | undefined;
      let copies = 0;
      await walk("Reading a dead letter", async (page) => {
        for (const wire of page) {
          if (wire.id !== id) continue;
          found ??= wire;
          copies++;
        }
        return page.map(() => "keep" as const);
      });
      return found === undefined ? undefined : readLetter(found, group, copies, encoding);
    },

    async redrive(ids, options = {}) {
      assertKnownOptions("redrive", options, redriveNames);
      const hasPayload = "payload" in options;
      const wanted = ids === "all" ? undefined : checkedIds(ids);
      if (hasPayload && wanted?.size !== 1) throw new HalyardError("INVALID_OPTIONS", "A new payload is for one letter: redrive(id, { payload }).");
      const decision: LetterDecision = hasPayload ? { redrive: { payload: options.payload } } : "redrive";
      const { redriven } = await decideEach("Redriving the dead letters", ({ id }) => (wanted === undefined || wanted.has(id) ? decision : "keep"));
      return redriven;
    },

    async remove(ids) {
      const wanted = checkedIds(ids);
      const { removed } = await decideEach("Removing dead letters", ({ id }) => (wanted.has(id) ? "remove" : "keep"));
      return removed;
    },

    handle: (decide) => decideEach("Handling the dead letters", decide),
  };
}

function checkedIds(ids: string | readonly string[]): ReadonlySet<string> {
  const list = typeof ids === "string" ? [ids] : ids;
  if (!Array.isArray(list)) throw new HalyardError("INVALID_OPTIONS", `Say which letters: an id or a list of ids, not ${shown(ids)}.`);
  for (const id of list) assertMessageId(id);
  return new Set(list);
}

function verdictOf(wire: WireMessage, decision: LetterDecision, parts: DeadLettersParts): Verdict {
  if (decision === "keep" || decision === "remove") return decision;
  const isDecision = decision === "redrive" || (typeof decision === "object" && decision !== null && "redrive" in decision);
  if (!isDecision)
    throw new HalyardError("INVALID_OPTIONS", 'What is decided about a letter must be "keep", "remove", "redrive" or { redrive: { payload } }; it was kept.');
  const message = fromLetter(wire);
  return { redrive: decision === "redrive" ? message : withPayload(message, decision.redrive.payload, parts) };
}

/** The same message with another payload, encoded as this bus encodes. */
function withPayload(message: WireMessage, payload: unknown, { encoding, carriesValues }: DeadLettersParts): WireMessage {
  const options: PublishOptions = { id: message.id };
  const context = { encoding, source: undefined, nextId: () => message.id, bodyBytesMax: encoding.bodyBytesMax, carriesValues: carriesValues() };
  const packed = pack(message.topic, payload, options, context, message.timeMs);
  return { ...message, contentType: packed.contentType, contentEncoding: packed.contentEncoding, body: packed.body, value: packed.value };
}
