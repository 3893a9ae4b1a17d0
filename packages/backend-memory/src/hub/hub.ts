/**
 * The hub of one namespace: a synchronous state machine. A command and the time go in, a result comes out, and `effects` says what is to be done
 * outside. No clock, no randomness but the seed it is given, no promise, no callback: the same commands at the same times always give the same
 * state, so it can be tested in simulated time, and a journal of commands can be put before it.
 */
import type { GroupInfo } from "@halyard/core/spi";
import { advance } from "./advance.ts";
import type { Commands, Effects, Now, Results } from "./commands.ts";
import { credit, extend, receive, settle, stopReceive, subscribe, unsubscribe } from "./consume.ts";
import type { Letters } from "./dead-letters.ts";
import { defineGroup, purgeGroup, removeGroup } from "./groups.ts";
import type { HistoryRing } from "./history.ts";
import { judge, purgeLetters } from "./letters.ts";
import { probeRoom, publish } from "./publish.ts";
import { type HubSettings, HubState } from "./state.ts";

type Step<Type extends keyof Commands> = (state: HubState, command: Commands[Type], now: Now) => Results[Type];

const steps: { readonly [Type in keyof Commands]: Step<Type> } = {
  publish,
  probe: probeRoom,
  subscribe,
  unsubscribe,
  receive,
  stopReceive,
  credit,
  settle,
  extend,
  defineGroup,
  removeGroup: (state, { name }) => {
    const group = state.groups.get(name);
    if (group !== undefined) removeGroup(state, group);
    return undefined;
  },
  purgeGroup,
  judge,
  purgeLetters,
  advance: (state, _command, now) => {
    advance(state, now);
    return undefined;
  },
};

export class Hub {
  readonly #state: HubState;

  /** `random` is drawn from here only, for a seed. */
  constructor(settings: HubSettings, random: () => number) {
    this.#state = new HubState(settings, random);
  }

  apply<Type extends keyof Commands>(type: Type, command: Commands[Type], now: Now): Results[Type] {
    const state = this.#state;
    try {
      return steps[type](state, command, now);
    } finally {
      state.dispatchTouched(now);
      // Something may have been handed out: look after one lease at the latest. A look that finds nothing and hands out nothing ends it.
      const isHandedOut = type !== "advance" || state.effects.ready.length > 0;
      if (state.settings.leaseMs !== undefined && isHandedOut && state.leaseDueMs === Number.POSITIVE_INFINITY) {
        state.leaseDueMs = now.monotonicMs + state.settings.leaseMs;
      }
    }
  }

  get settings(): HubSettings {
    return this.#state.settings;
  }

  /** To be emptied by the caller after every command. */
  get effects(): Effects {
    return this.#state.effects;
  }

  /** When `advance` is wanted, monotonic; `Infinity`: not as things are. */
  get nextDueMs(): number {
    return Math.min(this.#state.delayed.nextDueMs, this.#state.leaseDueMs);
  }

  get history(): HistoryRing | undefined {
    return this.#state.history;
  }

  /** All that it holds: waiting, delayed, in flight and dead. */
  get stored(): { readonly messages: number; readonly bytes: number } {
    const { messages, bytes } = this.#state.room;
    return { messages, bytes };
  }

  /** Nothing would be lost if it were thrown away. */
  get isEmpty(): boolean {
    const { groups, letters, delayed, history, dedup } = this.#state;
    return groups.size === 0 && letters.size === 0 && delayed.length === 0 && (history?.length ?? 0) === 0 && dedup.count === 0;
  }

  deadLetters(group: string): Letters | undefined {
    return this.#state.letters.get(group);
  }

  group(name: string): GroupInfo | undefined {
    const group = this.#state.groups.get(name);
    if (group === undefined) return undefined;
    const { queue, delayed, inFlight, members } = group;
    return { name, patterns: [...group.patterns.keys()], waiting: queue.length, delayed, inFlight, members: members.length };
  }

  groupNames(): readonly string[] {
    return [...this.#state.groups.keys()];
  }
}
