/** Makes groups and changes them. One that starts in the past is filled with history first; see `scripts/fill.ts`. */
import { HalyardError, type TopicPattern } from "@halyard/core/spi";
import type { Control } from "./control.ts";

/**
 * Copied by one call at first: 23 ms of the server's time. Where there are more topics than this, as many as topics: 350 ms with 10,000
 * (7.0.15, 256 B each, on a machine that others used as well).
 */
const pageMax = 2_000;
const spanMsFirst = 1_000;

export interface Definition {
  readonly name: string;
  readonly add: readonly TopicPattern[];
  readonly drop?: readonly TopicPattern[];
  /** The group's epoch, where the caller has known it. */
  readonly epoch?: string;
  readonly idleExpiryMs?: number | undefined;
  /** Counts only where this makes the group. */
  readonly from?: "new" | "earliest" | { readonly timeMs: number };
}

export interface Defined {
  /** `removed`: it was removed on purpose since the caller knew it, and not made again. */
  readonly epoch: string;
  /** It had been there, and something of it had vanished. */
  readonly isMadeAgain: boolean;
}

export async function defineGroup(control: Control, definition: Definition, signal: AbortSignal): Promise<Defined> {
  const { commands, scripts, host, assertAlive } = control;
  const { name, add, drop = [], epoch: known = "", idleExpiryMs, from = "new" } = definition;
  const [added, dropped] = [add, drop].map((patterns) => patterns.map(({ text }) => text).join(" ")) as [string, string];
  const expiry = idleExpiryMs === undefined ? "" : Math.ceil(idleExpiryMs);
  const start = from === "new" ? "new" : from === "earliest" ? 0 : Math.max(0, Math.floor(from.timeMs));
  for (;;) {
    assertAlive(signal);
    const generation = Math.floor(host.random() * 36 ** 8).toString(36);
    const [epoch, isMadeAgain] = (await commands.run(scripts.define, [name, generation, added, dropped, known, expiry, start])) as [string, number];
    if (epoch !== "filling") return { epoch, isMadeAgain: isMadeAgain === 1 };
    await fill(control, name, generation, signal);
  }
}

/** Several may do this at once: each page is copied by one of them. */
async function fill({ commands, scripts, settings, assertAlive }: Control, name: string, generation: string, signal: AbortSignal): Promise<void> {
  const { groupMessagesMax } = settings;
  let span = spanMsFirst;
  for (let most = pageMax; ; ) {
    assertAlive(signal);
    const [state, next = span, isPast] = (await commands.run(scripts.fill, [name, generation, span, most, groupMessagesMax])) as [string, number?, number?];
    if (state === "full")
      throw new HalyardError(
        "UNSUPPORTED",
        `The history that the group ${name} would start with is more than ${groupMessagesMax} messages, its limit: let it start later, or raise groupMessagesMax.`,
        { details: { group: name } },
      );
    if (state !== "more") return;
    span = next;
    // What is published meanwhile must not run ahead for ever.
    if (isPast === 1) most *= 2;
  }
}
