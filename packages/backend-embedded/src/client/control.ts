/** The control plane of a session: groups, dead letters, history. Arguments go as JSON, messages as they always lie in frames. */
import type { Admin, DeadLetters, GroupInfo, History, StoredMessage, TopicPattern, Verdict, WireMessage } from "@halyard/core/spi";
import { HalyardError } from "@halyard/core/spi";
import type { ByteReader } from "../protocol/byte-reader.ts";
import { entryFlags, fromClient, fromServer, type Method, methods, pageFlags, verdicts } from "../protocol/frames.ts";
import { record } from "../protocol/greeting.ts";
import { writeMessage } from "../protocol/message-writer.ts";
import { violation } from "../protocol/violation.ts";
import type { ClientSession } from "./session.ts";

const textsOf = (patterns: readonly TopicPattern[]): readonly string[] => patterns.map((pattern) => pattern.text);

export function adminOf(session: ClientSession): Admin {
  const call = (method: Method, input: unknown, signal: AbortSignal): Promise<unknown> => callJson(session, method, input, signal);
  return {
    ping: async (signal) => void (await call(methods.ping, {}, signal)),
    warnings: async (signal) => listOf(await call(methods.warnings, {}, signal)) as readonly string[],
    defineGroup: async (group, { add, drop }, signal) => void (await call(methods.defineGroup, { group, add: textsOf(add), drop: textsOf(drop) }, signal)),
    removeGroup: async (group, signal) => void (await call(methods.removeGroup, { group }, signal)),
    purgeGroup: async (group, signal) => numberOf(await call(methods.purgeGroup, { group }, signal)),
    group: async (group, signal) => groupInfo(await call(methods.group, { group }, signal)),
    async groups(signal) {
      const found = await call(methods.groups, {}, signal);
      return found === undefined ? undefined : listOf(found).map((info) => groupInfo(info) ?? { name: "", ...unknownNumbers });
    },
    async topics(signal) {
      const found = await call(methods.topics, {}, signal);
      if (found === undefined) return undefined;
      return listOf(found).map((entry) => ({ topic: String(record(entry).topic), stored: numberOf(record(entry).stored) }));
    },
  };
}

export function deadLettersOf(session: ClientSession): DeadLetters {
  return {
    count: async (group, signal) => numberOf(await callJson(session, methods.deadLetterCount, { group }, signal)) ?? 0,
    purge: async (group, signal) => numberOf(await callJson(session, methods.deadLetterPurge, { group }, signal)) ?? 0,
    walk: (group, { pageMax, signal }, visit) => walk(session, { group, pageMax }, signal, visit),
  };
}

export function historyOf(session: ClientSession, hasById: boolean): History {
  const read: History["read"] = async ({ patterns, from, limit, signal }) => {
    const page = await callPage(session, methods.historyRead, { patterns: textsOf(patterns), from, limit }, signal);
    return { messages: page.entries.filter((entry) => entry !== undefined), end: page.end };
  };
  if (!hasById) return { read };
  return { read, byId: async (ids, signal) => (await callPage(session, methods.historyById, { ids }, signal)).entries };
}

function callJson(session: ClientSession, method: Method, input: unknown, signal: AbortSignal): Promise<unknown> {
  return session.ask(
    `call ${method}`,
    signal,
    (id) => writeCall(session, id, method, input),
    (type, reader) => (type === undefined ? undefined : reader.json()),
  );
}

function writeCall(session: ClientSession, id: number, method: Method, input: unknown): void {
  const { writer } = session.link;
  writer.begin(fromClient.call);
  writer.u32(id);
  writer.u8(method);
  writer.json(input);
  writer.end();
}

interface Page {
  readonly entries: readonly (StoredMessage | undefined)[];
  readonly end: boolean;
}

function callPage(session: ClientSession, method: Method, input: unknown, signal: AbortSignal): Promise<Page> {
  if (session.lost !== undefined) return Promise.reject(session.lost);
  if (signal.aborted) return Promise.reject(aborted("history"));
  return new Promise((resolve, reject) => {
    const entries: (StoredMessage | undefined)[] = [];
    const stop = (): void => signal.removeEventListener("abort", onAbort);
    const id = session.requests.add({
      what: "history",
      dueMs: session.dueMs,
      done: () => undefined,
      answered: (_, reader) => {
        const flags = readPart(session, reader, entries);
        if ((flags & pageFlags.last) === 0) return;
        session.requests.take(id);
        stop();
        resolve({ entries, end: (flags & pageFlags.end) !== 0 });
      },
      failed: (error) => {
        stop();
        reject(error);
      },
    });
    const onAbort = (): void => session.requests.take(id)?.failed(aborted("history"));
    signal.addEventListener("abort", onAbort);
    session.attempt(id, () => writeCall(session, id, method, input));
  });
}

/** Reads one part of a page; returns its flags. */
function readPart(session: ClientSession, reader: ByteReader, entries: (StoredMessage | undefined)[]): number {
  const flags = reader.u8();
  while (!reader.isAtEnd) {
    const entry = reader.u8();
    const position = (entry & entryFlags.position) === 0 ? "" : reader.text8();
    if ((entry & entryFlags.message) === 0) {
      entries.push(undefined);
      continue;
    }
    const [message] = session.messages.readPlain(reader.bytes, reader.position, reader.end, 1);
    reader.position = session.messages.position;
    if (message !== undefined) entries.push({ message, position });
  }
  return flags;
}

type Visit = (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">;

/** The server shows page by page; the visitor's verdicts go back. A visitor that throws ends the walk, and nothing of its page is changed. */
function walk(session: ClientSession, input: { readonly group: string; readonly pageMax: number }, signal: AbortSignal, visit: Visit): Promise<void> {
  if (session.lost !== undefined) return Promise.reject(session.lost);
  if (signal.aborted) return Promise.reject(aborted("walk"));
  return new Promise((resolve, reject) => {
    let page: StoredMessage[] = [];
    let failure: Error | undefined;
    const stop = (): void => signal.removeEventListener("abort", cancel);
    const cancel = (): void => {
      failure ??= aborted("walk");
      if (session.lost === undefined) writeCancel(session, id);
    };
    const show = async (shown: readonly StoredMessage[]): Promise<void> => {
      try {
        const decided = await visit(shown.map((entry) => entry.message));
        if (session.lost === undefined && failure === undefined) writeVerdicts(session, id, decided);
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error));
        cancel();
      }
    };
    // No deadline: how long it takes is the visitor's affair, and the heartbeat sees to a dead server.
    const id = session.requests.add({
      what: "walk",
      dueMs: Number.POSITIVE_INFINITY,
      done: () => {
        stop();
        if (failure === undefined) resolve();
        else reject(failure);
      },
      answered: (type, reader) => {
        if (type !== fromServer.page) return;
        const entries: (StoredMessage | undefined)[] = [];
        const flags = readPart(session, reader, entries);
        page.push(...entries.filter((entry) => entry !== undefined));
        if ((flags & pageFlags.last) === 0) return;
        const shown = page;
        page = [];
        void show(shown);
      },
      failed: (error) => {
        stop();
        reject(failure ?? error);
      },
    });
    signal.addEventListener("abort", cancel);
    session.attempt(id, () => writeCall(session, id, methods.deadLetterWalk, input));
  });
}

function writeVerdicts(session: ClientSession, id: number, decided: readonly Verdict[] | "stop"): void {
  const { writer } = session.link;
  writer.begin(fromClient.verdicts);
  try {
    writer.u32(id);
    writer.u8(decided === "stop" ? 0 : 1);
    for (const verdict of decided === "stop" ? [] : decided) {
      if (typeof verdict === "string") writer.u8(verdict === "keep" ? verdicts.keep : verdicts.remove);
      else {
        writer.u8(verdicts.redrive);
        writeMessage(writer, verdict.redrive);
      }
    }
  } catch (error) {
    writer.cancel();
    throw error;
  }
  writer.end();
}

function writeCancel(session: ClientSession, id: number): void {
  const { writer } = session.link;
  writer.begin(fromClient.cancel);
  writer.u32(id);
  writer.end();
}

const unknownNumbers = { patterns: undefined, waiting: undefined, delayed: undefined, inFlight: undefined, members: undefined };

function groupInfo(value: unknown): GroupInfo | undefined {
  if (value === undefined || value === null) return undefined;
  const { name, patterns, waiting, delayed, inFlight, members } = record(value);
  return {
    name: String(name),
    patterns: Array.isArray(patterns) ? patterns.map(String) : undefined,
    waiting: numberOf(waiting),
    delayed: numberOf(delayed),
    inFlight: numberOf(inFlight),
    members: numberOf(members),
  };
}

/** Numbers or `undefined`: the broker does not say. */
function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw violation("an answer that is no list");
}

function aborted(what: string): HalyardError {
  return new HalyardError("ABORTED", `A request to the embedded server was aborted (${what}).`);
}
