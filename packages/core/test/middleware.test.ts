import { expect, test } from "vitest";
import type { Message } from "../src/message.ts";
import type { Middleware } from "../src/middleware.ts";
import { delivery } from "./fake-backend.ts";
import { fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

const naming = (name: string, seen: string[]): Middleware => ({
  async publish(draft, next) {
    seen.push(`${name} publishes`);
    const receipt = await next({ ...draft, options: { ...draft.options, headers: { ...draft.options.headers, [name]: "was here" } } });
    seen.push(`${name} published`);
    return receipt;
  },
  async handle(message, _, next) {
    seen.push(`${name} handles`);
    await next({ ...message, headers: { ...message.headers, [name]: "was here" } });
    seen.push(`${name} handled`);
  },
});

test("the first of the list is the outermost, both ways, and changes reach the inner ones", async () => {
  const seen: string[] = [];
  const { bus, backend } = await fakeBus({ middleware: [naming("outer", seen), naming("inner", seen)] });
  await bus.publish("a", 1);
  await bus.send("g", "a", 1);
  expect(seen).toEqual(Array(2).fill(["outer publishes", "inner publishes", "inner published", "outer published"]).flat());
  expect(backend.session.published.map(({ headers }) => [headers.outer, headers.inner])).toEqual(Array(2).fill(["was here", "was here"]));
  seen.length = 0;
  let handled: Message | undefined;
  await bus.subscribe("#", { group: "g" }, (message) => {
    handled = message;
  });
  backend.subscription.deliver(delivery("m"));
  await quiet();
  expect(seen).toEqual(["outer handles", "inner handles", "inner handled", "outer handled"]);
  expect(handled?.headers).toEqual({ outer: "was here", inner: "was here" });
  expect(backend.subscription.outcomes).toEqual(["m:ack"]);
});

test("a middleware that does not call next swallows the message, and one that throws fails it", async () => {
  const swallow: Middleware = { handle: async ({ id }) => (id === "bad" ? Promise.reject(new Error("no")) : undefined) };
  const { bus, backend } = await fakeBus({ middleware: [swallow], retry: { attemptsMax: 1 } });
  await bus.subscribe("#", { group: "g" }, () => {
    throw new Error("must not be called");
  });
  backend.subscription.deliver(delivery("good"), delivery("bad"));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["good:ack", "bad:dead-letters"]);
});

test("next works once: a second call publishes or handles nothing, and is told so", async () => {
  const errors: unknown[] = [];
  const twice: Middleware = {
    async publish(draft, next) {
      const receipt = await next(draft);
      await next(draft).catch((error: unknown) => errors.push(error));
      return receipt;
    },
    async handle(_, __, next) {
      await next();
      await next().catch((error: unknown) => errors.push(error));
    },
  };
  const { bus, backend } = await fakeBus({ middleware: [twice] });
  await bus.publish("a", 1);
  expect(backend.session.published).toHaveLength(1);
  let runs = 0;
  await bus.subscribe("#", { group: "g" }, () => {
    runs++;
  });
  backend.subscription.deliver(delivery("m"));
  await quiet();
  expect(runs).toBe(1);
  expect(errors).toMatchObject([{ code: "INVALID_OPTIONS" }, { code: "INVALID_OPTIONS" }]);
});

test("a second call of next that nobody looks at does not end the process", async () => {
  const careless: Middleware = {
    publish(draft, next) {
      void next(draft);
      return next(draft);
    },
    async handle(_, __, next) {
      const first = next();
      void next();
      await first;
    },
  };
  const { bus, backend } = await fakeBus({ middleware: [careless] });
  await expect(bus.publish("a", 1)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  await bus.subscribe("#", { group: "g" }, () => undefined);
  backend.subscription.deliver(delivery("m"));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m:ack"]);
});

test("publish middleware that throws at once rejects the publish", async () => {
  const broken: Middleware = {
    publish() {
      throw new Error("broken");
    },
  };
  const { bus } = await fakeBus({ middleware: [broken] });
  await expect(bus.publish("a", 1)).rejects.toThrow("broken");
});

test("a middleware that makes a new draft cannot turn a message for one group into one for all", async () => {
  const fresh: Middleware = { publish: ({ topic, payload }, next) => next({ topic, payload, options: {} }) };
  const { bus, backend } = await fakeBus({ middleware: [fresh] });
  await bus.send("g", "a", 1);
  await bus.publish("a", 2);
  expect(backend.session.publishes.map(({ request }) => request.target)).toEqual([{ group: "g" }, undefined]);
});
