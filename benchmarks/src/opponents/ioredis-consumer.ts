/**
 * Redis Streams with ioredis alone: `XREADGROUP` in batches, the next one asked for before the last is handled, and one `XACK` and one `XDEL` for each batch
 * on a connection that is never blocked.
 */
import { Redis } from "ioredis";
import { playBareConsumer } from "./bare-consumer.ts";
import { group, space } from "./names.ts";

const blockMs = 1_000;
/** Reads that are asked for at one time. */
const reads = 2;

/** What Redis answers to a read: streams, in them entries, in them fields and values in turn; null when the time was up. */
type Answer = readonly (readonly [stream: string, entries: readonly (readonly [id: string, fields: readonly string[]])[]])[] | null;

playBareConsumer(async ({ url, window }, handle) => {
  const commands = new Redis(url, { maxRetriesPerRequest: 0 });
  const reader = new Redis(url, { maxRetriesPerRequest: 0 });
  await commands.xgroup("CREATE", space, group, "0", "MKSTREAM");
  let isStopped = false;
  const read = async (): Promise<void> => {
    while (!isStopped) {
      // The types of ioredis say `unknown[]`; see Answer.
      const answer = (await reader.xreadgroup("GROUP", group, "one", "COUNT", window / reads, "BLOCK", blockMs, "STREAMS", space, ">")) as Answer;
      const entries = answer?.[0]?.[1] ?? [];
      if (entries.length === 0) continue;
      // The body is the last field that the publisher wrote.
      for (const [, fields] of entries) handle(fields.at(-1) ?? "");
      const ids = entries.map(([id]) => id);
      void commands
        .pipeline()
        .xack(space, group, ...ids)
        .xdel(space, ...ids)
        .exec();
    }
  };
  const reading = Promise.all(Array.from({ length: reads }, read));
  return {
    held: () => commands.xlen(space),
    close: async () => {
      isStopped = true;
      await reading;
      await Promise.all([reader.quit(), commands.quit()]);
    },
  };
});
