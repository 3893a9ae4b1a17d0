/** Promise 17: whatever a hostile writer puts into the fields of a message, nobody can forge a line of a log with it. */
import assert from "node:assert/strict";
import { type BusEvents, createBus, type Logger } from "@halyard/core";
import type { WireMessage } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { never } from "../pull.ts";
import { numbers } from "../recorder.ts";
import { wire } from "../wire.ts";

/** A line of its own, a jump to its start, colours, the next-line and line-separator characters that some viewers break at. */
const forged = "x\r\n2026-01-01 ERROR forged\u001b[2K\u0085\u2028y";
// biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
const breaksLine = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;

/** Ids and topics are left out: sessions are only ever handed sound ones, and what other programs write is each backend's to read. */
const hostile: readonly Partial<WireMessage>[] = [
  { contentType: forged },
  { contentEncoding: forged },
  { type: forged },
  { source: forged },
  { key: forged },
  { correlationId: forged },
  { replyTo: forged },
  { headers: { traceparent: forged, "halyard-attempts-max": forged, "halyard-trials": forged, "halyard-unmatched": forged, "halyard-to": forged } },
  { headers: { "x-user": forged } },
  { contentType: forged, contentEncoding: forged, type: forged, body: Buffer.from(forged) },
];

/** What people read as one line: texts and codes, and not payloads or headers, which are data. */
function linesOf(error: unknown): readonly string[] {
  const lines: string[] = [];
  for (let current = error, depth = 0; current instanceof Error && depth < 4; current = current.cause, depth++) lines.push(current.message);
  return lines;
}

export const forgingCases: readonly ConformanceCase[] = [
  {
    promise: 17,
    title: "line breaks and control characters in any field of a message reach no text of a log, an event or an error unescaped",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const lines: string[] = [];
      const write = (details: object, message: string): void => void lines.push(message, JSON.stringify(details));
      const logger: Logger = { debug: write, info: write, warn: write, error: write };
      const bus = await world.bus({ logger, retry: { attemptsMax: 2, delayMs: 10 } });
      const take = (value: BusEvents[keyof BusEvents]): void => {
        if ("error" in value) lines.push(...linesOf(value.error));
        if ("text" in value) lines.push(value.text);
        if ("id" in value) lines.push(value.id, value.topic);
      };
      for (const event of ["warning", "dead-letter", "message-drop", "handler-failure", "retry", "gap", "recreation", "connection-loss"] as const)
        bus.on(event, take);
      let fine = 0;
      const handle = ({ payload, id, topic }: { readonly payload: unknown; readonly id: string; readonly topic: string }): void => {
        lines.push(id, topic);
        if (payload === "fine") fine++;
        else throw new Error("as asked");
      };
      await bus.subscribe("f.#", { group: "g" }, handle);
      await bus.subscribe("f.#", {}, handle);
      for (const fields of hostile) {
        // A backend may refuse it. That it ends the session over it would show in what follows.
        const [status] = (await session.publish([wire("f.one", "hostile", fields)], { signal: never })) ?? [];
        if (status !== undefined && status.status !== "accepted") lines.push(...linesOf(status.error));
      }
      const rounds = 5;
      for (const round of numbers(rounds)) await bus.publish("f.fine", "fine", { id: `fine${round}` });
      await world.until(() => fine === 2 * rounds, "what is well-formed flows, to the group and live");
      for (const letter of await bus.deadLetters("g").list()) lines.push(letter.id, letter.error?.message ?? "");
      const calls: readonly (() => unknown)[] = [
        () => bus.deadLetters("g").get(forged),
        () => bus.publish(forged, 1),
        () => bus.groups.get(forged),
        () => bus.send(forged, "f.one", 1),
      ];
      for (const call of calls) {
        await Promise.resolve()
          .then(call)
          .catch((error: unknown) => lines.push(...linesOf(error)));
      }
      await createBus({ backend: await world.backend(), namespace: forged }).catch((error: unknown) => lines.push(...linesOf(error)));
      const bad = lines.find((line) => breaksLine.test(line));
      assert.equal(bad, undefined, `a line could be forged: ${JSON.stringify(bad)}`);
    },
  },
];
