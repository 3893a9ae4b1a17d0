/** A process of its own: connects with auto-start, says what it sees, and does what it is told on its standard input. */
import process from "node:process";
import { createInterface } from "node:readline";
import { embedded } from "@halyard/backend-embedded";
import { parsePattern, systemClock } from "@halyard/core/spi";

const { name, options } = JSON.parse(process.argv[2] ?? "{}");
const { signal } = new AbortController();
const host = { namespace: "halyard", clientName: name, clock: systemClock, random: Math.random, report: () => undefined };
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const session = await embedded(options).connect(host, signal);
await session.admin.defineGroup(`group-${name}`, { add: [parsePattern(`topic.${name}`)], drop: [] }, signal);
say({ connected: name });

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(" ");
  if (command === "groups") say({ groups: (await session.admin.groups(signal)).map((group) => group.name) });
  if (command === "hold") {
    const request = { patterns: [parsePattern("task.#")], inFlightMax: 10, group: { name: argument, from: "new", exclusive: false } };
    const subscription = await session.subscribe(request, signal);
    subscription.credit(10);
    say({ subscribed: argument });
    const held = await subscription.receive(10, signal);
    say({ holds: held.length });
  }
  if (command === "leave") break;
}
await session.close();
process.exit(0);
