/** What can be asked of the hub, what it answers, and what it wants done outside. All plain data but the consumers, which live no longer than a session. */
import type {
  Delivery,
  PublishRequest,
  PublishStatus,
  Settlement,
  SettleStatus,
  SubscribeRequest,
  TopicPattern,
  Verdict,
  WireMessage,
} from "@halyard/core/spi";
import type { Consumer, ConsumerClient } from "./consumer.ts";
import type { Letter } from "./dead-letters.ts";
import type { Live } from "./live.ts";

/** Time comes with every command: the hub has no clock. */
export interface Now {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export interface Commands {
  readonly publish: { readonly messages: readonly WireMessage[]; readonly request: Omit<PublishRequest, "signal"> };
  /** Says why a publish would be refused now; nothing: it would be accepted. */
  readonly probe: Record<string, never>;
  readonly subscribe: { readonly request: SubscribeRequest; readonly client: ConsumerClient };
  readonly unsubscribe: { readonly consumer: Consumer };
  /** Returns what waits; nothing: the consumer is called when something comes. */
  readonly receive: { readonly consumer: Consumer; readonly max: number };
  readonly stopReceive: { readonly consumer: Consumer };
  readonly credit: { readonly consumer: Consumer; readonly inFlightMax: number };
  readonly settle: { readonly consumer: Consumer; readonly settlements: readonly Settlement[] };
  /** Returns the receipts that were lost already. */
  readonly extend: { readonly consumer: Consumer; readonly receipts: readonly unknown[] };
  readonly defineGroup: { readonly name: string; readonly add: readonly TopicPattern[]; readonly drop: readonly TopicPattern[] };
  readonly removeGroup: { readonly name: string };
  readonly purgeGroup: { readonly name: string };
  /** Does what a walk's visitor said about a page of letters. */
  readonly judge: { readonly group: string; readonly letters: readonly Letter[]; readonly verdicts: readonly Verdict[] };
  readonly purgeLetters: { readonly group: string };
  /** Time has passed: what is due becomes ready. */
  readonly advance: Record<string, never>;
}

export interface Results {
  readonly publish: readonly PublishStatus[] | undefined;
  readonly probe: string | undefined;
  readonly subscribe: Consumer;
  readonly unsubscribe: undefined;
  readonly receive: readonly Delivery[];
  readonly stopReceive: undefined;
  readonly credit: undefined;
  readonly settle: readonly SettleStatus[] | undefined;
  readonly extend: readonly unknown[];
  readonly defineGroup: undefined;
  readonly removeGroup: undefined;
  readonly purgeGroup: number;
  readonly judge: undefined;
  readonly purgeLetters: number;
  readonly advance: undefined;
}

/** What a command made necessary outside. The driver empties it after each command. */
export interface Effects {
  /** Consumers whose pending `receive` has something. */
  ready: Consumer[];
  /** Live subscriptions that dropped something. */
  gaps: Live[];
  /** Members whose group was removed. */
  removed: Consumer[];
  /** Sentences for people: what was dropped by a rule that somebody set. */
  warnings: string[];
}
