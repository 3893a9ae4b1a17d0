/** What takes minutes: many kills, many lost replies, long delays. */
import assert from "node:assert/strict";
import { behind } from "../conformance/broker-faults/behind.ts";
import { type BrokerCase, needsDurable, needsProcesses } from "../conformance/broker-faults/broker-case.ts";
import type { BrokerWorld } from "../conformance/broker-faults/broker-world.ts";
import { poisonIsAlone, retriesSurvive, standstillIsAlone } from "../conformance/broker-faults/cases/consumers.ts";
import { type Calm, kills, underLoad } from "../conformance/broker-faults/cases/restarts.ts";
import { numbers } from "../conformance/recorder.ts";
import { faultProxy } from "../fault-proxy.ts";

const killsOfBroker = 20;
const lostReplies = 100;
/** Published one after the other, the line in order, before each publish whose reply is lost. */
const publishesPerLoss = 4;
const delayMs = 30_000;
/** Between two kills, from when messages flow again. */
const calm: Calm = { durationMs: 2_000, accepted: 1_000 };
/**
 * Of what is accepted. With the calm above a kill finds 40 messages in flight among 1,000, and NATS forgets the acks of 0.1 to 0.2 s, 40 to 80 at this load.
 */
const duplicatesShareMax = 0.05;
/** Enough that every kill hits something, little enough that RabbitMQ's starts do not drown in it. */
const load = { perWave: 10, everyMs: 25 };
/** A fault that does not end a connection is no fault: so many tries are left for those. */
const triesMax = 3 * lostReplies;

export const killCase: BrokerCase = {
  promise: 18,
  title: `${killsOfBroker} kills of the broker under load lose nothing`,
  needs: needsDurable,
  run(world) {
    world.duplicatesShareMax = duplicatesShareMax;
    return underLoad(world, (assertFlows) => kills(world, killsOfBroker, assertFlows, calm), load);
  },
};

export const enduranceCases: readonly BrokerCase[] = [
  killCase,
  { promise: 1, title: `${lostReplies} lost replies to publishes lose nothing`, run: publishWithoutReplies },
  {
    promise: 6,
    title: `retries delayed by ${delayMs / 1_000} s survive a kill of the broker and of the consumer, come no sooner, once, and to their own group only`,
    needs: (capabilities, subject) => needsDurable(capabilities) ?? needsProcesses(subject),
    run: (world) => retriesSurvive(world, delayMs),
  },
  {
    promise: 10,
    title: "a message that kills its process is the only dead letter, with 100 good ones behind it",
    needs: ({ countsDeliveries }, subject) => (countsDeliveries ? needsProcesses(subject) : "it does not count deliveries"),
    run: poisonIsAlone,
  },
  {
    promise: 10,
    title: "a message whose handler always outlasts its lease or connection with its process standing still is the only dead letter",
    needs: ({ countsDeliveries }, subject) => (countsDeliveries ? needsProcesses(subject) : "it does not count deliveries"),
    run: standstillIsAlone,
  },
];

/**
 * The broker gets a publish, and its answer is lost with the connection: whether it is stored, only a repetition under the same id can tell. A broker that
 * recognises ids stores none twice; of the others each lost reply may be one message twice.
 */
async function publishWithoutReplies(world: BrokerWorld): Promise<void> {
  const proxy = await faultProxy({ target: { port: world.broker.port } });
  try {
    await world.consume(await world.bus(), { group: "g" });
    const publisher = await world.bus({}, behind(proxy.port, world.broker));
    const { dedupMs } = (await publisher.inspect()).capabilities;
    let losses = 0;
    publisher.on("connection-loss", () => void losses++);
    for (let round = 0; losses < lostReplies && round < triesMax; round++) {
      for (const index of numbers(publishesPerLoss)) await world.publish(publisher, `kept${round}-${index}`);
      proxy.loseReplies();
      const open = world.publish(publisher, `lost${round}`);
      if (dedupMs === 0) await world.strike(() => undefined, { sparesConsumers: true });
      await open;
    }
    assert.ok(losses >= lostReplies, `only ${losses} replies were lost`);
    await world.assertFlows(publisher, "g");
    await world.closes(publisher, "g");
  } finally {
    await proxy.close();
  }
}
