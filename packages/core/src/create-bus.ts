import type { Bus } from "./bus.ts";
import { BusCore } from "./bus-core.ts";
import { type BusOptions, resolveBusOptions } from "./bus-options.ts";
import type { TopicMap, UntypedTopics } from "./topics/topic-map.ts";

/**
 * Connects to the backend and returns a bus. Tries for `limits.startTimeoutMs`; rejects with `INVALID_*`, `UNKNOWN_CODEC`, `UNKNOWN_COMPRESSION` at
 * once, with `AUTH_FAILED`, `NOT_AUTHORIZED`, `TLS_FAILED`, `PROTOCOL_ERROR` at the first refusal, with `CONNECT_FAILED` or `TIMEOUT` when the time is up.
 *
 * @example
 * const bus = await createBus({ backend: memory() });
 */
export async function createBus<Map extends TopicMap = UntypedTopics>(options: BusOptions<Map>): Promise<Bus<Map>> {
  const core = new BusCore(resolveBusOptions(options));
  await core.start();
  return typed<Map>(core);
}

/** Types exist only at compile time: the typed bus is the untyped one, seen through the topic map. */
function typed<Map extends TopicMap>(core: BusCore): Bus<Map> {
  const bus: unknown = {
    namespace: core.namespace,
    backend: core.backend,
    groups: core.groups,
    publish: core.publish.bind(core),
    publishBatch: core.publishBatch.bind(core),
    send: core.send.bind(core),
    subscribe: core.subscribe.bind(core),
    deliveries: core.deliveries.bind(core),
    deadLetters: core.deadLetters.bind(core),
    history: core.history.bind(core),
    historyById: core.historyById.bind(core),
    inspect: core.inspect.bind(core),
    health: core.health.bind(core),
    metrics: core.metrics.bind(core),
    on: core.on.bind(core),
    close: core.close.bind(core),
    [Symbol.asyncDispose]: () => core.close(),
  };
  return bus as Bus<Map>;
}
