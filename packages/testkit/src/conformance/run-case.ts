/** Runs one case in a world of its own, within a deadline, and makes its failure name its promise. */
import { randomBytes } from "node:crypto";
import { type Capabilities, type Host, parsePattern, systemClock } from "@halyard/core/spi";
import { faultProxy } from "../fault-proxy.ts";
import type { Abilities, ConformanceCase } from "./case.ts";
import type { Fault } from "./faults.ts";
import { pause } from "./recorder.ts";
import { type BackendUnderTest, World } from "./world.ts";

/** Whole case, milliseconds. */
export const caseDeadlineMs = 60_000;
/** `world.until`, milliseconds. */
export const untilDeadlineMs = 30_000;

export interface Facts {
  readonly capabilities: Capabilities;
  readonly abilities: Abilities;
}

export interface RunOptions {
  readonly fault?: Fault;
  /** Of `until` inside the case; the case as a whole gets twice as long. Default 30,000 ms. */
  readonly deadlineMs?: number;
  /** Ends the case early, as a failure. */
  readonly signal?: AbortSignal;
}

/** Connects once to learn what the backend is like. */
export async function learnFacts(subject: BackendUnderTest): Promise<Facts> {
  const namespace = freshNamespace();
  const proxy = subject.target === undefined ? undefined : await faultProxy({ target: subject.target() });
  const place = { namespace, proxy };
  const host: Host = { namespace, clientName: "kit-facts", clock: systemClock, random: Math.random, report: () => undefined };
  const signal = new AbortController().signal;
  const session = await (await subject.create(place)).connect(host, signal);
  try {
    const { capabilities } = session;
    const group = "kit-facts";
    const request = { patterns: [parsePattern("kit.facts")], inFlightMax: 1, group: { name: group, from: "new", exclusive: false } } as const;
    const subscription = await session.subscribe(request, signal);
    const leaseMs = subscription.lease?.durationMs;
    await subscription.close();
    await session.admin.removeGroup(group, signal);
    return { capabilities, abilities: abilitiesOf(subject, session.history !== undefined, leaseMs) };
  } finally {
    await session.close();
    await proxy?.close();
    await subject.sweep?.({ namespace, proxy: undefined });
  }
}

function abilitiesOf(subject: BackendUnderTest, history: boolean, leaseMs: number | undefined): Abilities {
  return {
    restartBroker: subject.restartBroker !== undefined,
    destroyGroup: subject.destroyGroup !== undefined,
    wrongCredentials: subject.wrongCredentials !== undefined,
    hasWire: subject.target !== undefined,
    hasHostClock: subject.hasHostClock === true,
    history,
    hasSecrets: (subject.secrets?.length ?? 0) > 0,
    leaseMs,
  };
}

export const freshNamespace = (): string => `kit-${randomBytes(6).toString("hex")}`;

/** Why this case is not for this backend. */
export function exclusionOf(one: ConformanceCase, { capabilities, abilities }: Facts): string | undefined {
  if (one.isTimed === true && !abilities.hasHostClock) return "it is asked in simulated time, and its broker keeps its own";
  return one.needs?.(capabilities, abilities);
}

/** Rejects with an error whose message begins with `promise N: `. */
export async function runCase(one: ConformanceCase, subject: BackendUnderTest, facts: Facts, options: RunOptions = {}): Promise<void> {
  const deadlineMs = options.deadlineMs ?? untilDeadlineMs;
  const world = new World(subject, {
    ...facts,
    namespace: freshNamespace(),
    fault: options.fault,
    isTimed: one.isTimed,
    breaksItself: one.breaksItself,
    deadlineMs,
  });
  const controller = new AbortController();
  const giveUp = options.signal === undefined ? controller.signal : AbortSignal.any([controller.signal, options.signal]);
  try {
    const overtime = pause(Math.min(caseDeadlineMs, deadlineMs * 2), giveUp).then(() => {
      throw new Error(options.signal?.aborted === true ? "the case was given up" : "the case did not end within its deadline");
    });
    overtime.catch(() => undefined); // also rejects when the case has ended by itself
    await Promise.race([one.run(world), overtime]);
  } catch (thrown) {
    throw named(one, thrown);
  } finally {
    controller.abort();
    await world.end();
  }
}

function named(one: ConformanceCase, thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const prefix = `promise ${one.promise}: `;
  if (!error.message.startsWith(prefix)) error.message = `${prefix}${error.message}`;
  return error;
}
