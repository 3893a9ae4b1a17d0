/** `for await (const delivery of bus.deliveries(…))`: the same subscription, for those who settle by hand. */
import type { HandlerContext } from "./context.ts";
import type { Flight } from "./flight.ts";
import type { Message } from "./message.ts";
import type { HandleStep } from "./middleware.ts";
import type { Subscription } from "./subscription.ts";
import { type Deferred, deferred } from "./waiting.ts";

/** A message whose fate you decide, once; later calls do nothing. Undecided after `handlerTimeoutMs`, it is retried like a handler that hangs. */
export interface ManualDelivery<Payload = unknown, Topic extends string = string> {
  readonly message: Message<Payload, Topic>;
  /** As a handler gets it: attempt, signal, `publish`, `reply`. */
  readonly context: HandlerContext;
  /** Handled. */
  ack(): void;
  /** Failed: comes again with the next attempt, or becomes a dead letter after the last. */
  retry(options?: { readonly delayMs?: number; readonly error?: unknown }): void;
  /** Not tried: back to the group, same attempt. */
  release(): void;
  /** Straight to the dead letters of the group, with this text as the error. */
  deadLetter(reason: string): void;
}

export interface Deliveries<Payload = unknown, Topic extends string = string> extends AsyncIterableIterator<ManualDelivery<Payload, Topic>> {
  /** Ends the subscription; what is not settled is given back. */
  return(): Promise<IteratorResult<ManualDelivery<Payload, Topic>, undefined>>;
}

/** Turns a subscription inside out: its handler parks each delivery here and waits until it is settled. */
export function deliveriesFrom(subscribe: (handler: HandleStep) => Promise<Subscription>): Deliveries {
  const parked: ManualDelivery[] = [];
  let wanted: Deferred<void> | undefined;
  let subscription: Promise<Subscription> | undefined;
  let isOver = false;
  /** Not settled: handed out, or still parked. */
  const open = new Set<ManualDelivery>();

  const wake = (): void => {
    wanted?.resolve();
    wanted = undefined;
  };
  const park: HandleStep = (message, context) => {
    const end = deferred<void>();
    const settle = (wish?: Flight["wish"]): void => {
      if (!open.delete(delivery)) return;
      if (wish !== undefined) (context as Flight).wish = wish; // contexts are flights: only core makes them
      end.resolve();
    };
    const delivery: ManualDelivery = {
      message,
      context,
      ack: () => settle(),
      retry: (options = {}) => settle({ type: "retry", delayMs: options.delayMs, error: options.error }),
      release: () => settle({ type: "release" }),
      deadLetter: (reason) => settle({ type: "dead-letter", reason }),
    };
    open.add(delivery);
    parked.push(delivery);
    context.signal.addEventListener("abort", delivery.release, { once: true });
    wake();
    return end.promise;
  };
  const start = (): Promise<Subscription> => {
    subscription ??= subscribe(park).then((running) => {
      void running.ended.then(() => {
        isOver = true;
        wake();
      });
      return running;
    });
    return subscription;
  };

  const iterator: Deliveries = {
    async next() {
      if (isOver && subscription === undefined) return { done: true, value: undefined };
      const running = await start();
      for (;;) {
        const delivery = parked.shift();
        if (delivery !== undefined) {
          if (open.has(delivery)) return { done: false, value: delivery };
          continue; // its time was up, or its connection lost, before anybody took it
        }
        if (isOver) {
          const error = await running.ended;
          if (error !== undefined) throw error;
          return { done: true, value: undefined };
        }
        wanted ??= deferred();
        await wanted.promise;
      }
    },
    async return() {
      isOver = true;
      const closing = (await subscription)?.close();
      // Whoever leaves the loop without settling has not handled the message: it must come again.
      for (const delivery of [...open]) delivery.release();
      await closing;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
