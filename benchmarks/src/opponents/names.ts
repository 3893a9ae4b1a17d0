/** Where the bare programs meet on the broker: they have nothing there before a run, and the broker's data is deleted after it. */

/** The topic that Halyard's contenders publish to as well. */
export const topic = "task.submitted.normal";
/** What AMQP and the group of Halyard's contenders call a pattern, and NATS a subject filter. */
export const pattern = "task.submitted.*";
/** Exchange, stream or key prefix. */
export const space = "tasks";
/** Queue, consumer group or durable consumer. */
export const group = "workers";
/** How long Redis remembers a message id; as long as Halyard has it do so. */
export const dedupMs = 60_000;
