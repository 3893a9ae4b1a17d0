/** Notes what the broker itself said about each delivery, between core and the backend: that core meant to ack is not yet an ack. */
import type { Backend } from "@halyard/core/spi";
import { wrapped } from "../../faulty/wrap.ts";
import type { DiskLedger } from "./disk-ledger.ts";

export function noting(backend: Backend, ledger: DiskLedger): Backend {
  return wrapped(backend, {
    subscription(subscription, _, { group }) {
      const ids = new Map<unknown, string>();
      return {
        async receive(max, signal) {
          const deliveries = await subscription.receive(max, signal);
          for (const { receipt, message } of deliveries) ids.set(receipt, message.id);
          return deliveries;
        },
        async settle(settlements) {
          const statuses = await subscription.settle(settlements);
          settlements.forEach(({ receipt, outcome }, index) => {
            const id = ids.get(receipt);
            ids.delete(receipt);
            const isDone = statuses === undefined || statuses[index] === "done";
            if (isDone && id !== undefined && outcome.type !== "release") ledger.note(outcome.type === "ack" ? "acked" : "moved", id, group?.name);
          });
          return statuses;
        },
      };
    },
  });
}
