/** What a case gets: buses and sessions on a namespace of its own, lines that can be broken, and a way to wait. Everything is closed after the case. */
import { AssertionError } from "node:assert/strict";
import { type Bus, type BusOptions, createBus, type UntypedTopics } from "@halyard/core";
import { type Backend, type BackendEvent, type Capabilities, type Clock, type Host, type Session, systemClock } from "@halyard/core/spi";
import { type FaultProxy, faultProxy, type ProxyTarget } from "../fault-proxy.ts";
import { type ManualClock, manualClock } from "../manual-clock.ts";
import type { Abilities } from "./case.ts";
import { type Fault, faultDefault, type LineControls } from "./faults.ts";
import { pause } from "./recorder.ts";
import { Seam } from "./seam.ts";

/** Where one backend is to connect to. */
export interface Place {
  /** Fresh for each case; core hands it to the backend in `Host.namespace` as well. */
  readonly namespace: string;
  /** Present where the suite has a `target`: the backend must connect to this proxy. */
  readonly proxy: FaultProxy | undefined;
}

/** Cases publish and subscribe what they like. */
type UntypedBusOptions = BusOptions<UntypedTopics>;

/** What a suite says about the backend under test. */
export interface BackendUnderTest {
  /** Makes a backend. Without `target` it is called once per case and shared by all its buses, otherwise once per bus. */
  create(place: Place): Backend | Promise<Backend>;
  /** Where the broker listens: the kit then puts a fault proxy before each bus. */
  target?(): ProxyTarget;
  /** Stops and starts the broker, and resolves when it answers again. */
  restartBroker?(): Promise<void>;
  /** Deletes the group's queue, stream or consumer behind Halyard's back. */
  destroyGroup?(place: Place, group: string): Promise<void>;
  /** The same backend with credentials that the broker refuses. */
  wrongCredentials?(place: Place): Backend | Promise<Backend>;
  /** Removes what a namespace left on the broker. */
  sweep?(place: Place): Promise<void>;
  /** Passwords that are in use, and must never be seen. */
  readonly secrets?: readonly string[];
  /** The broker's time is the clock of the bus, so that cases can run in simulated time. */
  readonly hasHostClock?: boolean;
  /** Added to the options of every bus, e.g. shorter deadlines. */
  readonly busOptions?: Partial<Omit<UntypedBusOptions, "backend" | "namespace" | "topics">>;
}

export interface WorldOptions {
  readonly capabilities: Capabilities;
  readonly abilities: Abilities;
  readonly namespace: string;
  readonly fault?: Fault | undefined;
  readonly isTimed?: boolean | undefined;
  readonly breaksItself?: boolean | undefined;
  /** Of `until`, milliseconds. */
  readonly deadlineMs: number;
}

/** Simulated clocks are exact; real ones may be read in another order than they fire. */
const graceMsReal = 20;

/** How long a connection that is to end suffers before it does, where the fault alone would not end it. */
const sufferMs = 100;

/** How long a case's buses may take to close; only after a failure do some take longer. */
const endMsMax = 5_000;

export interface SessionInWorld {
  readonly session: Session;
  readonly events: readonly BackendEvent[];
  readonly line: LineControls;
}

export class World {
  readonly namespace: string;
  readonly capabilities: Capabilities;
  readonly abilities: Abilities;
  readonly fault: Fault;
  readonly clock: Clock;
  readonly subject: BackendUnderTest;
  readonly secrets: readonly string[];
  /** Subtract it from a delay before asserting that nothing came early. */
  readonly graceMs: number;
  readonly deadlineMs: number;
  readonly #manual: ManualClock | undefined;
  readonly #lines = new Set<Line>();
  readonly #buses = new Map<Bus, Line>();
  readonly #sessions = new Set<Session>();
  #shared: Promise<Backend> | undefined;
  #names = 0;
  #hasEnded = false;
  readonly #isSlowFromTheStart: boolean;

  constructor(subject: BackendUnderTest, options: WorldOptions) {
    this.subject = subject;
    this.namespace = options.namespace;
    this.capabilities = options.capabilities;
    this.abilities = options.abilities;
    this.fault = options.fault ?? faultDefault;
    this.deadlineMs = options.deadlineMs;
    this.#isSlowFromTheStart = options.breaksItself === true && this.fault.isBackground === true;
    this.secrets = subject.secrets ?? [];
    this.#manual = options.isTimed === true ? manualClock() : undefined;
    this.clock = this.#manual ?? systemClock;
    this.graceMs = this.#manual === undefined ? graceMsReal : 0;
  }

  /** A backend on this case's namespace, over a line of its own. `steady`: `strike` leaves it alone. */
  async backend(options: { readonly steady?: boolean } = {}): Promise<Backend> {
    const line = await this.#line(options.steady === true);
    return line.backend;
  }

  /** A bus, closed after the case. Retries are quick unless the options say otherwise. */
  async bus(options: Partial<UntypedBusOptions> = {}, place: { readonly steady?: boolean } = {}): Promise<Bus> {
    const line = await this.#line(place.steady === true);
    const bus = await createBus<UntypedTopics>({
      retry: { delayMs: 10, factor: 1, jitter: 0, attemptsMax: 3 },
      ...this.subject.busOptions,
      ...(this.#manual === undefined ? {} : { clock: this.#manual }),
      ...options,
      namespace: this.namespace,
      backend: options.backend ?? line.backend,
    });
    this.#buses.set(bus, line);
    return bus;
  }

  /** A bare session, as core would have it. */
  async session(place: { readonly steady?: boolean; readonly clientName?: string } = {}): Promise<SessionInWorld> {
    const line = await this.#line(place.steady === true);
    const events: BackendEvent[] = [];
    const host: Host = {
      namespace: this.namespace,
      clientName: place.clientName ?? `kit-${++this.#names}`,
      clock: this.clock,
      random: Math.random,
      report: (event) => events.push(event),
    };
    const session = await line.backend.connect(host, new AbortController().signal);
    this.#sessions.add(session);
    return { session, events, line: line.controls };
  }

  /**
   * Ends all lines that are not steady, as the fault of this run does: sessions are lost, and can be opened again. What only stalls or loses replies does so
   * for a moment, and then the connection is reset.
   */
  disconnect(): void {
    for (const line of this.#shakyLines()) this.#break(line, () => this.#heal(line));
  }

  /** As `disconnect`, for one bus, and it cannot connect again before `restore`. */
  breakOff(bus: Bus): void {
    const line = this.#lineOf(bus);
    line.controls.refuse();
    this.#break(line);
  }

  restore(bus: Bus): void {
    this.#heal(this.#lineOf(bus));
  }

  #break(line: Line, after: () => void = () => undefined): void {
    const { controls } = line;
    const { endsSessions, isBackground } = this.fault;
    if (endsSessions || isBackground === true) {
      if (endsSessions) this.fault.strike(controls);
      else controls.reset();
      after();
      return;
    }
    endSuffering(line);
    // A session that has ended by its lost reply may have a successor by then, which is spared.
    const reset = controls.resetLater();
    this.fault.strike(controls);
    const timer = setTimeout(() => {
      endSuffering(line);
      after();
    }, sufferMs);
    line.suffering = { timer, reset };
  }

  /** What slows a case down from the start goes on. */
  #heal(line: Line): void {
    endSuffering(line);
    line.controls.heal();
    if (this.#isSlowFromTheStart && !this.#hasEnded) this.fault.strike(line.controls);
  }

  /** The fault of this run begins, on all lines that are not steady. */
  strike(): void {
    for (const line of this.#shakyLines()) this.fault.strike(line.controls);
  }

  heal(): void {
    for (const line of this.#shakyLines()) this.#heal(line);
  }

  #shakyLines(): readonly Line[] {
    return [...this.#lines].filter((line) => !line.isSteady && !line.isDead);
  }

  /** The process of this bus dies: no goodbye, nothing settled, it never comes back. */
  kill(bus: Bus): void {
    const line = this.#lineOf(bus);
    line.isDead = true;
    line.controls.refuse();
    this.#break(line);
  }

  /** What this bus alone can suffer. */
  lineOf(bus: Bus): LineControls {
    return this.#lineOf(bus).controls;
  }

  #lineOf(bus: Bus): Line {
    const line = this.#buses.get(bus);
    if (line === undefined) throw new Error("This bus was not made by world.bus().");
    return line;
  }

  /** Connections of all lines; `undefined` without a wire. */
  get connections(): number | undefined {
    let sum = 0;
    for (const { proxy } of this.#lines) {
      if (proxy === undefined) return undefined;
      sum += proxy.connections;
    }
    return sum;
  }

  /** Waits for a condition, in simulated time too. */
  async until(condition: () => boolean | Promise<boolean>, what: string | (() => string), deadlineMs = this.deadlineMs): Promise<void> {
    const startMs = performance.now();
    while (!(await condition())) {
      if (this.#hasEnded) throw new Error(`the case is over; it still waited for: ${typeof what === "string" ? what : what()}`);
      if (performance.now() - startMs > deadlineMs) {
        throw new AssertionError({ message: `not within ${deadlineMs} ms: ${typeof what === "string" ? what : what()}` });
      }
      await pause(5);
    }
  }

  /** Lets simulated time pass. */
  async advance(durationMs: number): Promise<void> {
    if (this.#manual === undefined) throw new Error("Only cases with isTimed run in simulated time.");
    await this.#manual.advance(durationMs);
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    this.heal();
    const closing = [...this.#buses.keys()].map((bus) => bus.close({ timeoutMs: 500 }));
    const ending = [...this.#sessions].map((session) => session.close());
    // What cannot be closed any more was killed by the case; time must not stand still for those that wait.
    const closed = Promise.allSettled([...closing, ...ending]);
    let isClosed = false;
    void closed.then(() => {
      isClosed = true;
    });
    for (let step = 0; this.#manual !== undefined && !isClosed && step < 200; step++) await this.#manual.advance(50);
    const patience = new AbortController();
    await Promise.race([closed, pause(endMsMax, patience.signal)]);
    patience.abort();
    for (const line of this.#lines) {
      clearTimeout(line.suffering?.timer);
      await line.proxy?.close();
    }
    await this.subject.sweep?.({ namespace: this.namespace, proxy: undefined });
  }

  async #line(isSteady: boolean): Promise<Line> {
    const line = this.subject.target === undefined ? await this.#seamLine(isSteady) : await this.#wireLine(isSteady);
    this.#lines.add(line);
    if (this.#isSlowFromTheStart && !isSteady) this.fault.strike(line.controls);
    return line;
  }

  async #seamLine(isSteady: boolean): Promise<Line> {
    this.#shared ??= Promise.resolve(this.subject.create({ namespace: this.namespace, proxy: undefined }));
    const backend = await this.#shared;
    const seam = new Seam(backend);
    // What nobody breaks needs no seam, and is then seen as it is.
    return { backend: isSteady ? backend : seam.backend, controls: seam, proxy: undefined, isSteady, isDead: false, suffering: undefined };
  }

  async #wireLine(isSteady: boolean): Promise<Line> {
    const proxy = await faultProxy({ target: (this.subject.target as () => ProxyTarget)() }); // the caller looked
    const backend = await this.subject.create({ namespace: this.namespace, proxy });
    return { backend, controls: proxy, proxy, isSteady, isDead: false, suffering: undefined };
  }
}

interface Line {
  readonly backend: Backend;
  readonly controls: LineControls;
  readonly proxy: FaultProxy | undefined;
  readonly isSteady: boolean;
  /** Its bus was killed and must not come back. */
  isDead: boolean;
  /** While it suffers before it ends, and what ends it. */
  suffering: { readonly timer: NodeJS.Timeout; readonly reset: () => void } | undefined;
}

/** What was on its way is gone. */
function endSuffering(line: Line): void {
  const { suffering, controls } = line;
  if (suffering === undefined) return;
  line.suffering = undefined;
  clearTimeout(suffering.timer);
  suffering.reset();
  controls.resume();
}
