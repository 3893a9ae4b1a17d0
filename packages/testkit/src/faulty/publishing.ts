/** Backends that break what happens on the way in: promises 1, 2, 12, 13, 14, 15, 16, 24. */
import type { Backend, Session, WireMessage } from "@halyard/core/spi";
import type { FaultyBackend } from "./faulty-backend.ts";
import { receiving, receivingOnly, wrapped } from "./wrap.ts";

/** Publishes other messages than it was given, all of which it claims to have accepted. */
function publishing(backend: Backend, change: (messages: readonly WireMessage[]) => readonly WireMessage[]): Backend {
  return wrapped(backend, {
    session: (session): Partial<Session> => ({
      publish: async (messages, request) => {
        const changed = change(messages);
        const statuses = await session.publish(changed, request);
        return changed.length === messages.length ? statuses : undefined;
      },
    }),
  });
}

const each = (backend: Backend, change: (message: WireMessage) => WireMessage): Backend => publishing(backend, (messages) => messages.map(change));

/** The word that a secretive backend lets slip; the proof names it as a secret. */
export const leakedSecret = "kit-secret-hunter2";
const idMark = ":kit:";

export const faultyPublishing: readonly FaultyBackend[] = [
  {
    promise: 1,
    name: "says accepted and stores all but one in five",
    wrap(backend) {
      let count = 0;
      return publishing(backend, (messages) => messages.filter(() => ++count % 5 !== 0));
    },
  },
  {
    promise: 1,
    name: "never answers a publish that follows a lost connection",
    wrap(backend) {
      let sessions = 0;
      return wrapped(backend, {
        connected: () => void sessions++,
        session: (session) => ({ publish: (messages, request) => (sessions > 2 ? new Promise(() => undefined) : session.publish(messages, request)) }),
      });
    },
  },
  { promise: 2, name: "turns batches around", wrap: (backend) => publishing(backend, (messages) => [...messages].reverse()) },
  {
    promise: 12,
    name: "forgets delays",
    wrap: (backend) => each(backend, (message) => ({ ...message, notBeforeMs: undefined })),
  },
  {
    promise: 12,
    name: "forgets times to live",
    wrap: (backend) => each(backend, (message) => ({ ...message, expiresAtMs: undefined })),
  },
  { promise: 13, name: "treats all priorities alike", wrap: (backend) => each(backend, (message) => ({ ...message, priority: 4 })) },
  {
    promise: 14,
    name: "recognises no repeated id",
    wrap(backend) {
      let count = 0;
      const unmarked = (message: WireMessage): WireMessage => ({ ...message, id: message.id.split(idMark)[0] ?? message.id });
      return wrapped(backend, {
        session: (session) => ({
          publish: (messages, request) =>
            session.publish(
              messages.map((message) => ({ ...message, id: `${message.id}${idMark}${count++}` })),
              request,
            ),
        }),
        subscription: (subscription) => receiving(subscription, (delivery) => ({ ...delivery, message: unmarked(delivery.message) })),
      });
    },
  },
  {
    promise: 15,
    name: "lets a trailing # stand for one word or more",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription, _, { patterns }) =>
          receivingOnly(subscription, ({ message }) =>
            patterns.some(({ text, matches }) => matches(message.topic) && !(text.endsWith(".#") && text === `${message.topic}.#`)),
          ),
      }),
  },
  {
    promise: 15,
    name: "loses the first message of each topic",
    wrap(backend) {
      const known = new Set<string>();
      return publishing(backend, (messages) =>
        messages.filter(({ topic }) => {
          const isKnown = known.has(topic);
          known.add(topic);
          return isKnown;
        }),
      );
    },
  },
  {
    promise: 16,
    name: "trims header values",
    wrap: (backend) =>
      each(backend, (message) => ({
        ...message,
        headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.trim()])),
      })),
  },
  {
    promise: 16,
    name: "keeps 64 KiB of a body",
    wrap: (backend) => each(backend, (message) => ({ ...message, body: message.body.subarray(0, 65_536) })),
  },
  {
    promise: 16,
    name: "rounds times to seconds",
    wrap: (backend) => each(backend, (message) => ({ ...message, timeMs: Math.floor(message.timeMs / 1_000) * 1_000 })),
  },
  {
    promise: 24,
    name: "says its password in a warning",
    wrap: (backend) =>
      wrapped(backend, { connected: (host) => host.report({ type: "warning", text: `Connected to broker://user:${leakedSecret}@127.0.0.1.` }) }),
  },
  {
    promise: 24,
    name: "says its password where a publish fails",
    wrap: (backend) =>
      wrapped(backend, {
        session: (session) => ({
          publish: async (messages, { signal }) => {
            const error = new Error(`broker://user:${leakedSecret}@127.0.0.1 refused the message`);
            await session.publish(messages, { signal });
            return messages.map(() => ({ status: "refused" as const, error }));
          },
        }),
      }),
  },
];
