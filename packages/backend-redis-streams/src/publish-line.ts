/**
 * Two calls of a script are under way at most; what is published meanwhile waits and goes together in the next one. A large call costs the server much
 * less a message than many small ones, and a server that answers slowly gets fewer and larger ones by itself. A lone publish never waits.
 *
 * Where a call meets a server without the script, the one behind it does too, and each is sent again in full. Until both are through, nothing new is
 * sent, so that none overtakes.
 */
import type { PublishRequest, PublishStatus, WireMessage } from "@halyard/core/spi";

/** Lua hands at most 8,000 values to one command, and a message needs two to be remembered. */
export const callMessagesMax = 2_000;
const callBytesMax = 1024 * 1024;
/** While the server works on one, the next is made. */
const callsMax = 2;

export type Statuses = readonly PublishStatus[] | undefined;

type Publish = (messages: readonly WireMessage[], request: PublishRequest) => Promise<Statuses>;

interface Batch {
  readonly messages: readonly WireMessage[];
  readonly request: PublishRequest;
  readonly resolve: (statuses: Statuses) => void;
  readonly reject: (error: unknown) => void;
}

export class PublishLine {
  readonly #publish: Publish;
  /** Bounded by core, which has so many messages unanswered at most. */
  #waiting: Batch[] = [];
  #flying = 0;
  #isCareful = false;

  constructor(publish: Publish) {
    this.#publish = publish;
  }

  add(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    if (messages.length === 0) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ messages, request, resolve, reject });
      this.#next();
    });
  }

  /** For calls that found no script. */
  readonly onMissing = (): void => {
    this.#isCareful = true;
  };

  #next(): void {
    while (this.#waiting.length > 0 && this.#flying < (this.#isCareful ? 1 : callsMax)) void this.#fly(this.#takeRun());
  }

  /** Those in front that can share a call. */
  #takeRun(): readonly Batch[] {
    let count = 0;
    let messages = 0;
    let bytes = 0;
    const [first] = this.#waiting;
    for (const batch of this.#waiting) {
      messages += batch.messages.length;
      for (const { body } of batch.messages) bytes += body.byteLength;
      const isFull = messages > callMessagesMax || bytes > callBytesMax;
      if (count > 0 && (isFull || first === undefined || !canShare(first.request, batch.request))) break;
      count++;
    }
    const run = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return run;
  }

  async #fly(run: readonly Batch[]): Promise<void> {
    const [first] = run;
    if (first === undefined) return;
    this.#flying++;
    try {
      const messages = run.length === 1 ? first.messages : run.flatMap((batch) => batch.messages);
      const statuses = await this.#publish(messages, first.request);
      let from = 0;
      for (const batch of run) {
        batch.resolve(statuses?.slice(from, from + batch.messages.length));
        from += batch.messages.length;
      }
    } catch (error) {
      for (const batch of run) batch.reject(error);
    } finally {
      this.#flying--;
      if (this.#flying === 0) this.#isCareful = false;
      this.#next();
    }
  }
}

function canShare(first: PublishRequest, other: PublishRequest): boolean {
  return first.target === undefined && other.target === undefined && first.isFirstSend === other.isFirstSend && first.positions === other.positions;
}
