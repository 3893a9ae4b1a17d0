/** Functions around publishing and handling. The first of the list is the outermost; `next` may be called once, or not at all. */
import type { HandlerContext } from "./context.ts";
import type { PublishOptions } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import type { Message } from "./message.ts";
import type { PublishReceipt, Target } from "./outgoing.ts";

/** A message that is about to be published. A middleware may pass on a changed copy. */
export interface Draft {
  readonly topic: string;
  readonly payload: unknown;
  readonly options: PublishOptions;
}

export interface Middleware {
  /** Around `publish`, `publishBatch` (each message) and `send`, before the payload is validated and encoded. */
  readonly publish?: (draft: Draft, next: (draft: Draft) => Promise<PublishReceipt>) => Promise<PublishReceipt>;
  /** Around the handler, after decoding and validation. What it throws counts as the handler's failure. */
  readonly handle?: (message: Message, context: HandlerContext, next: (message?: Message) => Promise<void>) => Promise<void>;
}

/** Where the draft goes is no part of it: a middleware that makes a new draft must not turn a message for one group into one for all. */
export type PublishStep = (draft: Draft, target: Target | undefined) => Promise<PublishReceipt>;
export type HandleStep = (message: Message, context: HandlerContext) => unknown;

/** `undefined` where no middleware publishes: the line then makes no draft. */
export function publishChain(middleware: readonly Middleware[], last: PublishStep): PublishStep | undefined {
  const steps = middleware.flatMap(({ publish }) => (publish === undefined ? [] : [publish]));
  if (steps.length === 0) return undefined;
  return steps.reduceRight<PublishStep>(
    (next, step) => async (draft, target) =>
      step(
        draft,
        once((changed: Draft) => next(changed, target)),
      ),
    last,
  );
}

/** The handler itself where no middleware handles. */
export function handleChain(middleware: readonly Middleware[], handler: HandleStep): HandleStep {
  const steps = middleware.flatMap(({ handle }) => (handle === undefined ? [] : [handle]));
  return steps.reduceRight<HandleStep>(
    (next, step) => (message, context) => {
      const run = once(async (changed: Message) => {
        await next(changed, context);
      });
      return step(message, context, (changed) => run(changed ?? message));
    },
    handler,
  );
}

/** Calling `next` twice would publish or handle twice. */
function once<Input, Output>(next: (input: Input) => Promise<Output>): (input: Input) => Promise<Output> {
  let isCalled = false;
  return (input) => {
    if (isCalled) {
      const refusal = Promise.reject(new HalyardError("INVALID_OPTIONS", "A middleware called next() twice."));
      refusal.catch(() => undefined); // who does not wait for it must not end the process by it
      return refusal;
    }
    isCalled = true;
    return next(input);
  };
}
