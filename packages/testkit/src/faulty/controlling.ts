/** Backends that break dead letters, the control plane, history and clean-up: promises 8, 9, 14, 19, 21, 22, 23. */
import { isHalyardError, type Verdict } from "@halyard/core/spi";
import type { FaultyBackend } from "./faulty-backend.ts";
import { replacing, settlingWith, wrapped } from "./wrap.ts";

const never = new AbortController().signal;

export const faultyControlling: readonly FaultyBackend[] = [
  {
    promise: 8,
    name: "acks instead of storing the dead letter",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) =>
          settlingWith(subscription, (outcome) => (outcome.type === "move" && outcome.to === "dead-letters" ? { type: "ack" } : outcome)),
      }),
  },
  {
    promise: 8,
    name: "acks first and stores the dead letter a little later",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription, session, { group }) =>
          settlingWith(subscription, (outcome) => {
            if (outcome.type !== "move" || outcome.to !== "dead-letters" || group === undefined) return outcome;
            const store = (): Promise<unknown> => session.publish([outcome.message], { signal: never, target: { deadLetters: group.name } });
            setTimeout(() => void store().catch(() => undefined), 50); // the session may be gone: the letter is lost, as it would be
            return { type: "ack" };
          }),
      }),
  },
  {
    promise: 8,
    name: "keeps no diagnostics",
    wrap: (backend) =>
      wrapped(backend, {
        subscription: (subscription) =>
          settlingWith(subscription, (outcome) =>
            outcome.type === "move" && outcome.to === "dead-letters" ? { ...outcome, message: { ...outcome.message, headers: {} } } : outcome,
          ),
      }),
  },
  {
    promise: 9,
    name: "walks the newest letter first",
    wrap: (backend) =>
      wrapped(backend, {
        session: ({ deadLetters }) => ({
          deadLetters: replacing(deadLetters, {
            walk: (group, options, visit) =>
              deadLetters.walk(group, options, async (page) => {
                const verdicts = await visit([...page].reverse());
                return verdicts === "stop" ? "stop" : [...verdicts].reverse();
              }),
          }),
        }),
      }),
  },
  {
    promise: 9,
    name: "uses a letter up after some looks",
    wrap(backend) {
      let walks = 0;
      return wrapped(backend, {
        session: ({ deadLetters }) => ({
          deadLetters: replacing(deadLetters, {
            walk: (group, options, visit) =>
              deadLetters.walk(group, options, async (page) => {
                const verdicts = await visit(page);
                return ++walks % 10 === 0 ? page.map((): Verdict => "remove") : verdicts;
              }),
          }),
        }),
      });
    },
  },
  {
    promise: 9,
    name: "lets two walk the same letters",
    wrap: (backend) =>
      wrapped(backend, {
        session: ({ deadLetters }) => ({
          deadLetters: replacing(deadLetters, {
            walk: (group, options, visit) =>
              deadLetters.walk(group, options, visit).catch((error: unknown) => {
                if (!isHalyardError(error, "BUSY")) throw error;
              }),
          }),
        }),
      }),
  },
  {
    promise: 9,
    name: "redrives through the topic, so that every group sees it",
    wrap(backend) {
      let count = 0;
      return wrapped(backend, {
        session: (session) => ({
          deadLetters: replacing(session.deadLetters, {
            walk: (group, options, visit) =>
              session.deadLetters.walk(group, options, async (page) => {
                const verdicts = await visit(page);
                if (verdicts === "stop") return verdicts;
                for (const verdict of verdicts) {
                  if (typeof verdict === "object") await session.publish([{ ...verdict.redrive, id: `${verdict.redrive.id}-${count++}` }], { signal: never });
                }
                return verdicts.map((verdict): Verdict => (typeof verdict === "object" ? "remove" : verdict));
              }),
          }),
        }),
      });
    },
  },
  {
    promise: 14,
    name: "takes a retry for a duplicate",
    wrap(backend) {
      const moved = new Set<string>();
      return wrapped(backend, {
        subscription: (subscription) =>
          settlingWith(subscription, (outcome) => {
            if (outcome.type !== "move" || outcome.to !== "inbox") return outcome;
            const isRepeat = moved.has(outcome.message.id);
            moved.add(outcome.message.id);
            return isRepeat ? { type: "ack" } : outcome;
          }),
      });
    },
  },
  {
    promise: 19,
    name: "removes a group's dead letters with it",
    wrap: (backend) =>
      wrapped(backend, {
        session: ({ admin, deadLetters }) => ({
          admin: replacing(admin, {
            async removeGroup(name, signal) {
              await admin.removeGroup(name, signal);
              await deadLetters.purge(name, signal);
            },
          }),
        }),
      }),
  },
  {
    promise: 21,
    name: "reads history backwards",
    wrap: (backend) =>
      wrapped(backend, {
        session: ({ history }) => ({
          history:
            history &&
            replacing(history, {
              async read(request) {
                const { messages, end } = await history.read(request);
                return { messages: [...messages].reverse(), end };
              },
            }),
        }),
      }),
  },
  {
    promise: 22,
    name: "makes up a zero for what it does not count",
    wrap: (backend) =>
      wrapped(backend, {
        session: ({ admin }) => ({
          admin: replacing(admin, {
            async group(name, signal) {
              const info = await admin.group(name, signal);
              return info && { ...info, waiting: 0 };
            },
          }),
        }),
      }),
  },
  {
    promise: 22,
    name: "answers a ping without asking the broker",
    wrap: (backend) => wrapped(backend, { session: ({ admin }) => ({ admin: replacing(admin, { ping: () => Promise.resolve() }) }) }),
  },
  {
    promise: 23,
    name: "leaves a listener on the process with each connection",
    wrap(backend) {
      let sessions = 0;
      // A name of its own each, so that Node's own warning about many listeners stays quiet.
      return wrapped(backend, { connected: () => void process.on(`halyard-kit-leak-${sessions++}`, () => undefined) });
    },
  },
];
