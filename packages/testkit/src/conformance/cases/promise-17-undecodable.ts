/** Promise 17: what cannot be decoded becomes a dead letter, and the next message flows. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Codec, HalyardError, isHalyardError } from "@halyard/core";
import type { WireMessage } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { accepts } from "../pull.ts";
import { recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

const bodyBytesMax = 100_000;

/** Each with the code of the error that its letter must show. */
const undecodable: readonly (readonly [name: string, code: string, fields: Partial<WireMessage>])[] = [
  ["garbage", "DECODE_FAILED", { body: Buffer.from([0xff, 0xfe, 0x00, 0x7b]) }],
  ["half", "DECODE_FAILED", { body: Buffer.from('{"a":') }],
  ["nothing", "DECODE_FAILED", { body: Buffer.alloc(0) }],
  ["foreign", "UNKNOWN_CODEC", { contentType: "application/x-unknown" }],
  ["packed", "UNKNOWN_COMPRESSION", { contentEncoding: "x-unknown" }],
  ["torn", "DECODE_FAILED", { contentEncoding: "gzip", body: Buffer.from("not gzip at all") }],
  ["bomb", "DECODE_FAILED", { contentEncoding: "gzip", body: gzipSync(Buffer.alloc(bodyBytesMax * 100, " ")) }],
  ["large", "PAYLOAD_TOO_LARGE", { body: Buffer.from(JSON.stringify("x".repeat(bodyBytesMax))) }],
];

export const undecodableCases: readonly ConformanceCase[] = [
  {
    promise: 17,
    title: "undecodable, undecompressable, oversize and unknown-codec messages are dead letters, and the next message flows",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const bus = await world.bus({ limits: { bodyBytesMax } });
      const inbox = recorder();
      await bus.subscribe("x.#", { group: "g", concurrency: 1, inFlightMax: 1 }, inbox.handle);
      for (const [name, , fields] of undecodable) await accepts(session, [wire("x.bad", { fine: true }, { id: name, ...fields }), wire("x.good", name)]);
      await world.until(() => inbox.seen.length >= undecodable.length, "the good ones flow");
      assert.deepEqual(
        inbox.payloads(),
        undecodable.map(([name]) => name),
      );
      await world.until(async () => (await bus.deadLetters("g").count()) === undecodable.length, "the bad ones are letters");
      for (const [name, code, fields] of undecodable) {
        const letter = await bus.deadLetters("g").get(name);
        assert.deepEqual([letter?.reason, letter?.error?.code], ["decode", code], name);
        assert.equal(letter?.body.byteLength, (fields.body ?? wire("x", { fine: true }).body).byteLength, `${name}: the letter keeps the bytes`);
      }
    },
  },
  {
    promise: 17,
    title: "in a live subscription the next message flows too, and the loss is reported",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const bus = await world.bus();
      const inbox = recorder();
      const drops: string[] = [];
      bus.on("message-drop", ({ id }) => void drops.push(id));
      await bus.subscribe("x.#", {}, inbox.handle);
      await accepts(session, [wire("x.bad", 1, { id: "bad", body: Buffer.from("{") }), wire("x.good", "good")]);
      await world.until(() => inbox.seen.length === 1 && drops.length === 1, "the good one flows, the bad one is reported");
      assert.deepEqual([inbox.payloads(), drops], [["good"], ["bad"]]);
    },
  },
  {
    promise: 17,
    title: "a codec that throws anything, and a payload that it cannot encode, hurt only their own message",
    kind: "limit",
    absence: "moot",
    needs: ({ carriesValues }) => (carriesValues ? "payloads are handed over by reference, without a codec" : undefined),
    async run(world) {
      const fussy: Codec = {
        name: "fussy",
        contentType: "application/x-fussy",
        encode: (payload) => Buffer.from(String(payload)),
        decode: (body) => {
          if (Buffer.from(body).toString() === "bad") throw new HalyardError("DECODE_FAILED", "fussy");
          return Buffer.from(body).toString();
        },
      };
      const bus = await world.bus({ codecs: [fussy], codec: "fussy" });
      const jsonBus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      for (const payload of [circular, 1n]) {
        await assert.rejects(
          async () => jsonBus.publish("x.one", payload),
          (error) => isHalyardError(error, "ENCODE_FAILED"),
        );
      }
      await bus.publish("x.one", "bad", { id: "bad" });
      await bus.publish("x.one", "good");
      await world.until(() => inbox.seen.length === 1, "the good one flows");
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the bad one is a letter");
    },
  },
];
