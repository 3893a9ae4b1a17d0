/** Keeps a group with `idleExpiryMs` alive while a member is there that consumes nothing for now: the broker counts consumers, not members. */
import type { Clock } from "@halyard/core/spi";

/** Touched so often within the time after which the broker removes it. */
const touchesPerExpiry = 4;

/** Declaring a queue again counts as use. Returns what stops it. */
export function keepUsed(
  clock: Clock,
  idleExpiryMs: number,
  subscription: { readonly hasConsumer: boolean },
  declare: () => Promise<unknown>,
): () => Promise<void> {
  const touch = (): void => {
    cancel = clock.after(idleExpiryMs / touchesPerExpiry, touch);
    if (!subscription.hasConsumer) declare().catch(() => undefined); // the next one tries again; a lost session ends all of them
  };
  let cancel = clock.after(idleExpiryMs / touchesPerExpiry, touch);
  return async () => cancel();
}
