/** NATS JetStream with @nats-io/jetstream alone: a stream that keeps what is not acked yet, a durable pull consumer, `consume` with a callback, every message acked by itself. */
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { playBareConsumer } from "./bare-consumer.ts";
import { group, pattern, space } from "./names.ts";

playBareConsumer(async ({ url, window }, handle) => {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: space, subjects: ["task.>"], storage: StorageType.File, retention: RetentionPolicy.Interest });
  await manager.consumers.add(space, { durable_name: group, filter_subject: pattern, ack_policy: AckPolicy.Explicit, max_ack_pending: window });
  const consumer = await jetstream(connection).consumers.get(space, group);
  const messages = await consumer.consume({
    max_messages: window,
    callback: (message) => {
      handle(message.string());
      message.ack();
    },
  });
  return {
    held: async () => {
      const { num_pending, num_ack_pending } = await consumer.info();
      return num_pending + num_ack_pending;
    },
    close: async () => {
      await messages.close();
      await connection.close();
    },
  };
});
