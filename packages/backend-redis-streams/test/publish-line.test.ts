import type { PublishRequest, PublishStatus, WireMessage } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { PublishLine, type Statuses } from "../src/publish-line.ts";
import { message, never } from "./redis-fixture.ts";

interface Sent {
  readonly ids: readonly string[];
  answer(statuses?: readonly PublishStatus[]): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A server that answers when it is told to. */
function server(): { readonly line: PublishLine; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const line = new PublishLine(
    (messages: readonly WireMessage[]) =>
      new Promise<Statuses>((resolve, reject) => {
        sent.push({
          ids: messages.map(({ id }) => id),
          answer: (statuses) => [resolve(statuses), settle()][1] as Promise<void>,
          fail: (error) => [reject(error), settle()][1] as Promise<void>,
        });
      }),
  );
  return { line, sent };
}

const request: PublishRequest = { signal: never };
const one = (id: string, more: Partial<WireMessage> = {}): readonly WireMessage[] => [message("a", id, more)];

it("sends a lone batch at once, two at a time, and what came meanwhile together", async () => {
  const { line, sent } = server();
  const results = ["a", "b", "c", "d", "e"].map((id) => line.add(one(id), request));
  expect(sent.map(({ ids }) => ids)).toEqual([["a"], ["b"]]);
  await sent[0]?.answer();
  expect(sent.map(({ ids }) => ids)).toEqual([["a"], ["b"], ["c", "d", "e"]]);
  await sent[1]?.answer();
  const accepted: PublishStatus = { status: "accepted" };
  const duplicate: PublishStatus = { status: "accepted", duplicate: true };
  await sent[2]?.answer([accepted, duplicate, accepted]);
  expect(await Promise.all(results)).toEqual([undefined, undefined, [accepted], [duplicate], [accepted]]);
});

it("keeps apart what is asked for differently, and what is too much for one call", async () => {
  const { line, sent } = server();
  const large = { body: Buffer.alloc(700_000) };
  const adds: readonly (readonly [readonly WireMessage[], PublishRequest])[] = [
    [one("a"), request],
    [one("b"), request],
    [one("c"), { ...request, isFirstSend: true }],
    [one("d"), request],
    [one("e"), { ...request, target: { group: "g" } }],
    [one("f"), { ...request, target: { group: "g" } }],
    [one("g", large), request],
    [one("h", large), request],
  ];
  const results = adds.map(([messages, how]) => line.add(messages, how));
  for (let index = 0; index < adds.length; index++) await sent[index]?.answer();
  await Promise.all(results);
  expect(sent.map(({ ids }) => ids.join(""))).toEqual(["a", "b", "c", "d", "e", "f", "g", "h"]);
});

it("rejects all that shared a call, and goes on", async () => {
  const { line, sent } = server();
  const results = ["a", "b", "c", "d"].map((id) => line.add(one(id), request));
  const settled = Promise.allSettled(results);
  await sent[0]?.answer();
  await sent[1]?.answer();
  await sent[2]?.fail(new Error("lost"));
  expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
  const next = line.add(one("e"), request);
  await sent[3]?.answer();
  expect(await next).toBeUndefined();
});

it("sends nothing new while calls are sent again because the script was missing", async () => {
  const { line, sent } = server();
  const results = ["a", "b", "c"].map((id) => line.add(one(id), request));
  line.onMissing();
  await sent[0]?.answer();
  expect(sent).toHaveLength(2);
  await sent[1]?.answer();
  expect(sent.map(({ ids }) => ids)).toEqual([["a"], ["b"], ["c"]]);
  await sent[2]?.answer();
  await Promise.all(results);
  const more = ["d", "e"].map((id) => line.add(one(id), request));
  expect(sent).toHaveLength(5); // two at a time again
  for (const part of sent.slice(3)) await part.answer();
  await Promise.all(more);
});
