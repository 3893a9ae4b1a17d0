import type { TopicPattern } from "../pattern.ts";
import type { WireMessage } from "./message.ts";

/** Letters of a group outlive the group. */
export interface DeadLetters {
  count(group: string, signal: AbortSignal): Promise<number>;
  /** Returns how many were removed. */
  purge(group: string, signal: AbortSignal): Promise<number>;
  /**
   * Walks oldest first, in pages of at most `pageMax`; nothing goes before the visitor said so, and a crash leaves each letter in place.
   * One walk a group at a time: a second one rejects with `BUSY`. A `redrive` verdict puts the given message into the group's inbox, confirmed,
   * and then removes the letter. Letters that arrive during the walk may or may not be seen.
   */
  walk(
    group: string,
    options: { readonly pageMax: number; readonly signal: AbortSignal },
    visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">,
  ): Promise<void>;
}

export type Verdict = "keep" | "remove" | { readonly redrive: WireMessage };

/** Control plane. `undefined` = the broker does not say. */
export interface Admin {
  /** A round trip on the publishing path; rejects where a publish would. */
  ping(signal: AbortSignal): Promise<void>;
  /** Settings of the broker that endanger the promises, each a sentence that says what to change. */
  warnings(signal: AbortSignal): Promise<readonly string[]>;
  /** Creates the group where it is missing, then adds and drops patterns. */
  defineGroup(name: string, change: { readonly add: readonly TopicPattern[]; readonly drop: readonly TopicPattern[] }, signal: AbortSignal): Promise<void>;
  /** With inbox and waiting retries; dead letters stay; members' `receive` rejects with `GROUP_REMOVED`. Removing a group that is not there is no error. */
  removeGroup(name: string, signal: AbortSignal): Promise<void>;
  /** Removes what waits (not what is in flight or delayed) and returns how many, where known. */
  purgeGroup(name: string, signal: AbortSignal): Promise<number | undefined>;
  group(name: string, signal: AbortSignal): Promise<GroupInfo | undefined>;
  groups(signal: AbortSignal): Promise<readonly GroupInfo[] | undefined>;
  topics(signal: AbortSignal): Promise<readonly { readonly topic: string; readonly stored: number | undefined }[] | undefined>;
}

export interface GroupInfo {
  readonly name: string;
  readonly patterns: readonly string[] | undefined;
  readonly waiting: number | undefined;
  readonly delayed: number | undefined;
  readonly inFlight: number | undefined;
  readonly members: number | undefined;
}

/** Where a reading begins. `after`: a position that was returned before. `timeMs`: milliseconds since 1970. */
export type HistoryStart = "start" | { readonly after: string } | { readonly timeMs: number };

export interface History {
  /** Reads stored messages in order without consuming. `end`: nothing more is stored now. */
  read(request: {
    readonly patterns: readonly TopicPattern[];
    readonly from: HistoryStart;
    readonly limit: number;
    readonly signal: AbortSignal;
  }): Promise<{ readonly messages: readonly StoredMessage[]; readonly end: boolean }>;
  /** With an index. Where it is missing core reads through all that is kept. */
  byId?(ids: readonly string[], signal: AbortSignal): Promise<readonly (StoredMessage | undefined)[]>;
}

export interface StoredMessage {
  readonly message: WireMessage;
  readonly position: string;
}
