/** Processes that stand still for longer than three heartbeats: by their own doing, and stopped from outside. */
import { type Bus, createBus } from "@halyard/core";
import { startWorker, type Worker } from "@halyard/testkit";
import { expect, onTestFinished, test } from "vitest";
import { embedded } from "../../src/index.ts";
import { testServer } from "../support/servers.ts";

const heartbeatMs = 100;
/** Three heartbeats, and as much again. */
const standstillMs = 6 * heartbeatMs;

interface Word {
  readonly subscribed?: boolean;
  readonly blocking?: boolean;
  readonly holding?: boolean;
  readonly handled?: string;
  readonly refused?: number;
}

async function standing(): Promise<{ readonly member: Worker; readonly bus: Bus }> {
  const { port } = await testServer();
  const bus = await createBus({ backend: embedded({ port, autoStart: false }), namespace: "standing" });
  onTestFinished(() => bus.close({ timeoutMs: 100 }));
  const member = startWorker(new URL("../support/standing-member.mjs", import.meta.url), { args: [JSON.stringify({ port, heartbeatMs })] });
  await member.waitFor<Word>(({ subscribed }) => subscribed === true);
  return { member, bus };
}

test("a handler that blocks its process for six heartbeats loses nothing, and the process works again", { timeout: 30_000 }, async () => {
  const { member, bus } = await standing();
  await bus.publish("a.b", { name: "first", blockMs: standstillMs });
  await member.waitFor<Word>(({ blocking }) => blocking === true);
  for (let index = 0; index < 20; index++) await bus.publish("a.b", { name: `m${index}` });
  for (let index = 0; index < 20; index++) await member.waitFor<Word>(({ handled }) => handled === `m${index}`);
  await member.waitFor<Word>(({ handled }) => handled === "first");
  await expect.poll(async () => (await bus.groups.get("g"))?.inFlight).toBe(0);
  expect(await bus.deadLetters("g").count()).toBe(0);
});

test("a process that was stopped settles nothing of what another has handled meanwhile, counts it, and works again", { timeout: 30_000 }, async () => {
  const { member, bus } = await standing();
  await bus.publish("a.b", { name: "held", untilTold: true });
  await member.waitFor<Word>(({ holding }) => holding === true);
  await member.kill("SIGSTOP");
  const handled: unknown[] = [];
  const other = await bus.subscribe("a.#", { group: "g" }, ({ payload }) => void handled.push(payload));
  await expect.poll(() => handled.length, { timeout: 10_000 }).toBe(1);
  await other.close();
  member.send({ goOn: true });
  await member.kill("SIGCONT");
  await member.waitFor<Word>(({ handled: name }) => name === "held");
  await expect
    .poll(() => {
      member.send({ count: true });
      return member.messages.some((word) => (word as Word).refused === 1); // what it says is written above
    })
    .toBe(true);
  await bus.publish("a.b", { name: "after" });
  await member.waitFor<Word>(({ handled: name }) => name === "after");
  expect(handled).toHaveLength(1);
  expect(await bus.deadLetters("g").count()).toBe(0);
});
