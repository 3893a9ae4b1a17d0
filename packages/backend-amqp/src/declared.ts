/**
 * What is declared in this session, and whether it is still there. AMQP tells nobody that a queue was deleted which nobody consumes, so besides what a
 * publish or a look runs into, everything is looked at now and then. What is gone is made again and reported, once.
 */
import type { Host } from "@halyard/core/spi";

export interface Declared {
  /** What the report calls it, e.g. `the queue shop.dead.mail with the dead letters of mail`. */
  readonly what: string;
  /** What goes with it. */
  readonly lost: 0 | "unknown";
  readonly declare: () => Promise<void>;
}

/** One declaring of a queue. To be had before the broker is asked: its answer may be older than the next declaring. */
export interface Declaration {
  readonly declared: Declared;
  readonly done: Promise<void>;
  isDone: boolean;
}

export class DeclaredQueues {
  readonly #report: Host["report"];
  readonly #all = new Map<string, Declaration>();

  constructor(report: Host["report"]) {
    this.#report = report;
  }

  get names(): readonly string[] {
    return [...this.#all.keys()];
  }

  /** Undefined also while it is being declared: a broker that is asked meanwhile may still say that there is none, and that is reported already. */
  current(queue: string): Declaration | undefined {
    const declaration = this.#all.get(queue);
    return declaration?.isDone ? declaration : undefined;
  }

  /** Declares it where this session has not yet. */
  once(queue: string, declared: Declared): Promise<void> {
    const before = this.#all.get(queue);
    if (before !== undefined) return before.done;
    const done = declared.declare();
    const declaration: Declaration = { declared, done, isDone: false };
    this.#all.set(queue, declaration);
    done.then(
      () => {
        declaration.isDone = true;
      },
      () => this.#all.delete(queue), // the next use tries again; this one hears it from `done`
    );
    return done;
  }

  /** The next use declares it again: it was deleted on purpose, or may have been. */
  forget(queue: string): void {
    this.#all.delete(queue);
  }

  /** What was declared was deleted behind our back. Resolves when it is there again, or the next use has to try. */
  async gone(queue: string, declaration: Declaration | undefined): Promise<void> {
    if (declaration === undefined || this.#all.get(queue) !== declaration) return; // nobody's, or reported already
    this.#all.delete(queue);
    const { what, lost } = declaration.declared;
    await this.once(queue, declaration.declared).catch(() => undefined);
    this.#report({ type: "recreated", what, lost });
  }
}
