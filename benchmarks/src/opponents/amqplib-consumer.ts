/** RabbitMQ with amqplib alone: a quorum queue on a topic exchange, a prefetch window, every message acked by itself. */
import { connect } from "amqplib";
import { playBareConsumer } from "./bare-consumer.ts";
import { group, pattern, space } from "./names.ts";

playBareConsumer(async ({ url, window }, handle) => {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.assertExchange(space, "topic", { durable: true });
  await channel.assertQueue(group, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(group, space, pattern);
  await channel.prefetch(window);
  const { consumerTag } = await channel.consume(group, (message) => {
    if (message === null) throw new Error("RabbitMQ cancelled the consumer.");
    handle(message.content.toString());
    channel.ack(message);
  });
  let isClosed = false;
  return {
    held: async () => {
      // What is unacked goes back to the queue with its channel, and is then counted there.
      if (!isClosed) {
        isClosed = true;
        await channel.cancel(consumerTag);
        await channel.close();
      }
      const other = await connection.createChannel();
      const { messageCount } = await other.checkQueue(group);
      await other.close();
      return messageCount;
    },
    close: () => connection.close(),
  };
});
