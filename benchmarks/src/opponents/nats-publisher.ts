/** NATS JetStream with @nats-io/jetstream alone: `js.publish` with a message id. */
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { playBarePublisher } from "./bare-publisher.ts";
import { topic } from "./names.ts";

playBarePublisher(async ({ url, hasTraces }, json) => {
  const connection = await connect({ servers: url, noAsyncTraces: !hasTraces });
  const js = jetstream(connection);
  return {
    send: (first, count, onConfirmed) => {
      for (let index = first; index < first + count; index++) {
        void js.publish(topic, Buffer.from(json(index)), { msgID: randomUUID() }).then(() => onConfirmed(1));
      }
    },
    close: () => connection.close(),
  };
});
