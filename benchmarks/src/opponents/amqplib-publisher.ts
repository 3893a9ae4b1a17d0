/** RabbitMQ with amqplib alone: a confirm channel with callbacks, persistent messages with id, content type and timestamp. */
import { randomUUID } from "node:crypto";
import { connect } from "amqplib";
import { playBarePublisher } from "./bare-publisher.ts";
import { space, topic } from "./names.ts";

playBarePublisher(async ({ url }, json) => {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  return {
    send: (first, count, onConfirmed) => {
      const onAnswer = (error: unknown): void => {
        if (error !== null && error !== undefined) throw new Error("RabbitMQ did not confirm a message.", { cause: error });
        onConfirmed(1);
      };
      for (let index = first; index < first + count; index++) {
        const properties = { persistent: true, messageId: randomUUID(), contentType: "application/json", timestamp: Math.floor(Date.now() / 1_000) };
        channel.publish(space, topic, Buffer.from(json(index)), properties, onAnswer);
      }
    },
    close: () => connection.close(),
  };
});
