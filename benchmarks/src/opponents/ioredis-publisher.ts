/** Redis Streams with ioredis alone: for each message `SET NX` under its id and `XADD`, a pipeline a batch. */
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { playBarePublisher } from "./bare-publisher.ts";
import { dedupMs, space, topic } from "./names.ts";

playBarePublisher(async ({ url }, json) => {
  const redis = new Redis(url, { maxRetriesPerRequest: 0 });
  return {
    send: (first, count, onConfirmed) => {
      const pipeline = redis.pipeline();
      for (let index = first; index < first + count; index++) {
        const id = randomUUID();
        pipeline.set(`${space}:id:${id}`, 1, "PX", dedupMs, "NX");
        pipeline.xadd(space, "*", "id", id, "topic", topic, "content-type", "application/json", "time", Date.now(), "body", json(index));
      }
      void pipeline.exec().then((replies) => {
        const failure = replies?.find(([error]) => error !== null);
        if (failure !== undefined) throw failure[0];
        onConfirmed(count);
      });
    },
    close: async () => void (await redis.quit()),
  };
});
