/**
 * Runs one hub: gives each command the time, does its effects, keeps one timer at the hub's next due time. Acceptance is answered after
 * `persist`: nothing here today, and the place where a journal will write the command before the answer goes out.
 */
import type { BackendEvent, Host } from "@halyard/core/spi";
import type { Commands, Results } from "./hub/commands.ts";
import { Hub } from "./hub/hub.ts";
import type { HubSettings } from "./hub/state.ts";
import { HubTime } from "./hub-time.ts";

const nothing: Promise<undefined> = Promise.resolve(undefined);

export class HubDriver {
  readonly hub: Hub;
  /** Groups whose dead letters somebody walks. */
  readonly walks = new Set<string>();
  readonly #time: HubTime;
  /** Of the living sessions, oldest first. */
  readonly #hosts: Host[] = [];
  #armedMs = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined = undefined;

  constructor(settings: HubSettings, host: Host) {
    this.hub = new Hub(settings, host.random);
    this.#time = new HubTime(host.clock);
  }

  get isUsed(): boolean {
    return this.#hosts.length > 0;
  }

  attach(host: Host): void {
    this.#hosts.push(host);
    this.#time.add(host.clock);
    // What fell due while nobody was there.
    this.apply("advance", {});
  }

  detach(host: Host): void {
    const index = this.#hosts.indexOf(host);
    if (index >= 0) this.#hosts.splice(index, 1);
    const isOtherClock = this.#time.remove(host.clock);
    if (!this.isUsed || isOtherClock) this.#stopTimer();
    this.#arm();
  }

  apply<Type extends keyof Commands>(type: Type, command: Commands[Type]): Results[Type] {
    try {
      return this.hub.apply(type, command, this.#time.now());
    } finally {
      this.#doEffects();
      this.#arm();
    }
  }

  /** The answer to an accepted command, once it is safe. One shared promise where there is nothing to say, so that the hot path makes none. */
  persist<Result>(result: Result): Promise<Result | undefined> {
    return result === undefined ? nothing : Promise.resolve(result);
  }

  #doEffects(): void {
    const { effects } = this.hub;
    if (effects.ready.length > 0) {
      const ready = effects.ready;
      effects.ready = [];
      for (const consumer of ready) consumer.client.ready(consumer.takeHanded());
    }
    if (effects.gaps.length + effects.removed.length + effects.warnings.length > 0) this.#doRareEffects();
  }

  /** Taken out before they are done: whom they reach may call the hub again. */
  #doRareEffects(): void {
    const { effects } = this.hub;
    const { gaps, removed, warnings } = effects;
    effects.gaps = [];
    effects.removed = [];
    effects.warnings = [];
    for (const live of gaps) live.consumer?.client.gap(live.takeDropped());
    for (const consumer of removed) consumer.client.removed();
    for (const text of warnings) this.#report({ type: "warning", text });
  }

  #report(event: BackendEvent): void {
    this.#hosts[0]?.report(event);
  }

  /** A timer that is due too early only looks and arms again, so later due times leave it alone. */
  #arm(): void {
    const dueMs = this.hub.nextDueMs;
    if (dueMs >= this.#armedMs && dueMs !== Number.POSITIVE_INFINITY) return;
    if (dueMs === this.#armedMs) return;
    this.#stopTimer();
    if (dueMs === Number.POSITIVE_INFINITY || !this.isUsed) return;
    this.#armedMs = dueMs;
    this.#disarm = this.#time.clock.after(Math.max(0, dueMs - this.#time.now().monotonicMs), () => {
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#disarm = undefined;
      this.apply("advance", {});
    });
  }

  #stopTimer(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedMs = Number.POSITIVE_INFINITY;
  }
}
