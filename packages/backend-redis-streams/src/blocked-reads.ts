/**
 * `XREADGROUP` on a connection of its own, and how a read that waits is woken. Reads end by themselves, and where even that answer does not come, the
 * connection is taken for dead: it can be so without anybody telling.
 */
import { HalyardError, type Host, sleep } from "@halyard/core/spi";
import type { Redis } from "ioredis";
import type { Commands } from "./commands.ts";
import { fromRedis } from "./errors.ts";
import type { Entry, GroupQueue } from "./group-queue.ts";
import type { Settings } from "./options.ts";

const pauseMs = 5;
/** Without the right to interrupt reads they must be short. */
const blockMsUnaided = 100;

export interface BlockedReadsParts {
  readonly client: Redis;
  /** Of that connection, for `CLIENT UNBLOCK`. */
  readonly clientId: number;
  readonly consumer: string;
  readonly commands: Commands;
  readonly settings: Settings;
  readonly host: Host;
  readonly onEnd: (error: HalyardError) => void;
}

/** What one read brought for one group. */
export interface Brought {
  readonly queue: GroupQueue;
  readonly entries: readonly Entry[];
  /** How many were asked for. */
  readonly asked: number;
}

/** Null: the time was up. With `>` there are only entries that exist. */
type Reply = readonly (readonly [stream: Buffer, entries: readonly (readonly [id: Buffer, values: readonly Buffer[]])[]])[] | null;

export class BlockedReads {
  readonly #parts: BlockedReadsParts;
  #waitMsMax: number;
  #isBlocked = false;
  #isInterrupting = false;
  #round = 0;
  /** Groups that the blocked read covers. */
  #covered: ReadonlySet<GroupQueue> = new Set();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(parts: BlockedReadsParts) {
    this.#parts = parts;
    this.#waitMsMax = parts.settings.blockMs;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  covers(queue: GroupQueue): boolean {
    return this.#covered.has(queue);
  }

  /** One read over these groups, for as much as the least of them has room for. `waitMs` 0: does not wait. */
  async read(queues: readonly GroupQueue[], waitMs: number): Promise<readonly Brought[]> {
    const { client, consumer, settings } = this.#parts;
    const asked = Math.min(...queues.map(({ free }) => free));
    const blockMs = Math.min(waitMs, this.#waitMsMax);
    const args = ["GROUP", settings.names.consumerGroup, consumer, "COUNT", asked, ...(blockMs > 0 ? ["BLOCK", blockMs] : []), "STREAMS"];
    const reading = client.callBuffer("XREADGROUP", [...args, ...queues.map(({ stream }) => stream), ...queues.map(() => ">")]);
    if (blockMs > 0) this.#block(reading, queues);
    const cancel = this.#limit(blockMs);
    try {
      return broughtBy((await reading) as Reply, queues, asked);
    } finally {
      cancel();
      if (blockMs > 0) this.#isBlocked = false;
    }
  }

  /** Resolves when no read waits for this group any more. */
  async release(queue: GroupQueue): Promise<void> {
    if (!this.#isBlocked || !this.covers(queue)) return;
    this.interrupt();
    await this.#reading.catch(() => undefined); // who reads hears of it
  }

  /** Ends the read that waits, if there is one. */
  interrupt(): void {
    if (!this.#isBlocked || this.#isInterrupting) return;
    this.#isInterrupting = true;
    void this.#unblock();
  }

  #block(reading: Promise<unknown>, queues: readonly GroupQueue[]): void {
    this.#round++;
    this.#isBlocked = true;
    this.#covered = new Set(queues);
    this.#reading = reading;
  }

  /** Ends the session where a read has no answer in time, not even an empty one. Returns what cancels that. */
  #limit(waitMs: number): () => void {
    const { host, settings, onEnd } = this.#parts;
    const limitMs = waitMs + settings.commandTimeoutMs;
    return host.clock.after(limitMs, () => onEnd(new HalyardError("CONNECTION_LOST", `Redis did not answer a read within ${limitMs} ms.`)));
  }

  /** The two connections race: a read that was sent just now may not wait yet when the server is told to wake it. Then it is told again. */
  async #unblock(): Promise<void> {
    const { commands, clientId, host } = this.#parts;
    const round = this.#round;
    try {
      for (let attempt = 1; this.#isBlocked && this.#round === round; attempt++) {
        if ((await commands.call("CLIENT", "UNBLOCK", clientId)) === 1) break;
        if (attempt > 2) await sleep(host.clock, pauseMs);
      }
    } catch (error) {
      const { code, message } = fromRedis(error);
      if (code !== "CONNECTION_LOST" && this.#waitMsMax > blockMsUnaided) {
        this.#waitMsMax = blockMsUnaided;
        host.report({ type: "warning", text: `CLIENT UNBLOCK is refused (${message}); reads wait ${blockMsUnaided} ms at most instead.` });
      }
    } finally {
      this.#isInterrupting = false;
    }
  }
}

function broughtBy(reply: Reply, queues: readonly GroupQueue[], asked: number): readonly Brought[] {
  const byStream = new Map(reply?.map(([stream, entries]) => [stream.toString(), entries]));
  return queues.map((queue) => {
    const entries = (byStream.get(queue.stream) ?? []).map(([id, values]): Entry => ({ id: id.toString("latin1"), deliveries: 1, values }));
    return { queue, entries, asked };
  });
}
