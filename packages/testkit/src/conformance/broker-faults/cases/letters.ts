/** The broker dies while messages become dead letters: promise 8. */
import { nonRetryable } from "@halyard/core";
import { numbers } from "../../recorder.ts";
import { type BrokerCase, needsDurable } from "../broker-case.ts";

const letters = 1_000;
/** So many have failed when the broker is killed; the rest is buffered, on its way or waiting. */
const failedBefore = 300;

export const letterCases: readonly BrokerCase[] = [
  {
    promise: 8,
    title: `a kill of the broker while ${letters} messages become dead letters loses none, and each is one letter`,
    needs: needsDurable,
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["b.#"] });
      const [first = "", ...others] = numbers(letters).map((index) => `m${index}`);
      let failed = 0;
      let kill: Promise<void> | undefined;
      const consumer = await world.bus();
      await world.consume(consumer, {
        group: "g",
        concurrency: 50,
        inFlightMax: 100,
        run() {
          // Synchronously, so that it hits settlements under way, and not a pause between two of them.
          if (++failed === failedBefore) kill = world.killBroker({ isEmpty: true });
          throw nonRetryable(new Error("dead"));
        },
      });
      // What keeps the letters must be there for long enough to survive a kill.
      await world.publish(bus, first);
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the first is a letter");
      await world.settle();
      const publishing = Promise.all(others.map((id) => world.publish(bus, id)));
      await world.until(() => kill !== undefined, "many have failed");
      await kill;
      await world.broker.start();
      await publishing;
      let found = 0;
      await world.until(
        async () => {
          found = (await bus.deadLetters("g").list({ limit: letters })).length;
          return found === letters;
        },
        () => `all are letters; ${found} are`,
      );
      await world.closes(bus, "g", [first, ...others]); // compares the list, in which a letter that is there twice stands once
    },
  },
];
