/** The first frame of each side: who is there, in which version, and what the server can do. */
import { type Capabilities, isNamespace } from "@halyard/core/spi";
import { ByteReader } from "./byte-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { fromClient, fromServer, magic, protocolVersion } from "./frames.ts";
import { violation } from "./violation.ts";

export interface Hello {
  readonly token: string;
  readonly namespace: string;
  readonly clientName: string;
  /** How often each side says something at least. */
  readonly heartbeatMs: number;
}

export interface Welcome {
  readonly capabilities: Capabilities;
  /** Longest frame the server takes, without its length field. */
  readonly frameBytesMax: number;
  readonly hasHistory: boolean;
  readonly hasHistoryById: boolean;
}

const clientNameForm = /^[A-Za-z0-9_-]{1,64}$/;
const heartbeatMsMin = 10;
export const heartbeatMsMax = 600_000;

export function writeHello(writer: FrameWriter, hello: Hello): void {
  writer.begin(fromClient.hello);
  writer.u32(magic);
  writer.u8(protocolVersion);
  writer.text32(hello.token);
  writer.text8(hello.namespace);
  writer.text8(hello.clientName);
  writer.u32(hello.heartbeatMs);
  writer.end();
}

/** @throws PROTOCOL_ERROR */
export function readHello(bytes: Buffer, start: number, end: number): Hello {
  const reader = new ByteReader(bytes, start, end);
  if (reader.u32() !== magic) throw violation("a first frame that is no hello");
  const version = reader.u8();
  if (version !== protocolVersion) throw violation(`version ${version}, where this server speaks ${protocolVersion}`);
  const hello = { token: reader.text32(), namespace: reader.text8(), clientName: reader.text8(), heartbeatMs: reader.u32() };
  reader.finish();
  if (!isNamespace(hello.namespace)) throw violation("a namespace outside the grammar");
  if (!clientNameForm.test(hello.clientName)) throw violation("a client name outside the grammar");
  if (hello.heartbeatMs < heartbeatMsMin || hello.heartbeatMs > heartbeatMsMax) throw violation("a heartbeat out of range");
  return hello;
}

export function writeWelcome(writer: FrameWriter, welcome: Welcome): void {
  writer.begin(fromServer.welcome);
  writer.u8(protocolVersion);
  // JSON has no infinity: it becomes null, and no number of the welcome is null otherwise.
  writer.json(welcome);
  writer.end();
}

/** @throws PROTOCOL_ERROR */
export function readWelcome(bytes: Buffer, start: number, end: number): Welcome {
  const reader = new ByteReader(bytes, start, end);
  const version = reader.u8();
  if (version !== protocolVersion) throw violation(`version ${version}, where this client speaks ${protocolVersion}`);
  const value = record(reader.json());
  const facts = record(value.capabilities);
  const lateness = record(facts.delayLateness);
  const startsAt = record(facts.startsAt);
  return {
    frameBytesMax: numberOf(value.frameBytesMax),
    hasHistory: value.hasHistory === true,
    hasHistoryById: value.hasHistoryById === true,
    capabilities: {
      durable: facts.durable === true,
      dedupMs: numberOf(facts.dedupMs),
      orderedTopics: facts.orderedTopics === true,
      exclusive: facts.exclusive === true,
      priorityLevels: numberOf(facts.priorityLevels),
      delayMsMax: numberOf(facts.delayMsMax),
      delayLateness: { ratio: numberOf(lateness.ratio), floorMs: numberOf(lateness.floorMs) },
      countsDeliveries: facts.countsDeliveries === true,
      handlerMsMax: facts.handlerMsMax === undefined ? undefined : numberOf(facts.handlerMsMax),
      startsAt: { earliest: startsAt.earliest === true, time: startsAt.time === true },
      bodyBytesMax: numberOf(facts.bodyBytesMax),
      carriesValues: false,
      persistentByMessage: facts.persistentByMessage === true,
    },
  };
}

/** An object from outside, each of whose fields is yet to be checked. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw violation("JSON that is not an object where one is expected");
}

function numberOf(value: unknown): number {
  if (value === null) return Number.POSITIVE_INFINITY;
  if (typeof value === "number") return value;
  throw violation("JSON that has no number where one is expected");
}
