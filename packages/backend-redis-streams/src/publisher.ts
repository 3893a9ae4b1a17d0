/** The publishing side of a session: batches become calls of scripts, replies become statuses. */
import { crc32 } from "node:zlib";
import { HalyardError, type Host, type PublishRequest, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import type { Argument, Commands } from "./commands.ts";
import type { Settings } from "./options.ts";
import { Packer } from "./packer.ts";
import type { Script, Scripts } from "./scripts/index.ts";
import { packFields, packMessage } from "./wire.ts";

/** Lua hands at most 8,000 values to one command, and a message needs two to be remembered. */
const callMessagesMax = 2_000;

type Statuses = readonly PublishStatus[] | undefined;

export class Publisher {
  readonly #commands: Commands;
  readonly #scripts: Scripts;
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #packer = new Packer();
  /** Scripts were missing: batches go one after the other until those that were in flight are through. */
  readonly #flying = new Set<Promise<unknown>>();
  #isCareful = false;
  #blockedBy: string | undefined;

  constructor(parts: { commands: Commands; scripts: Scripts; settings: Settings; host: Host }) {
    this.#commands = parts.commands;
    this.#scripts = parts.scripts;
    this.#settings = parts.settings;
    this.#host = parts.host;
  }

  async publish(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    if (messages.length === 0) return undefined;
    if (messages.length <= callMessagesMax) return this.#publishPart(messages, request);
    const statuses: PublishStatus[] = [];
    for (let from = 0; from < messages.length; from += callMessagesMax) {
      const part = messages.slice(from, from + callMessagesMax);
      statuses.push(...((await this.#publishPart(part, request)) ?? part.map(() => accepted)));
      const last = statuses.at(-1);
      if (last?.status === "accepted") continue;
      // What follows a message that found no room must not overtake it.
      const error = last?.error ?? new HalyardError("BACKPRESSURE", "The batch was refused.");
      while (statuses.length < messages.length) statuses.push({ status: "refused", error });
    }
    return statuses;
  }

  async #publishPart(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    const { target } = request;
    try {
      const statuses = target === undefined ? await this.#toTopics(messages, request) : await this.#toTarget(messages, target);
      this.#unblock();
      return this.#settings.replicaTimeoutMs === undefined ? statuses : await this.#replicated(messages, statuses, this.#settings.replicaTimeoutMs);
    } catch (error) {
      if (!(error instanceof HalyardError)) throw error;
      if (error.code === "CONNECTION_LOST" || error.code === "AUTH_FAILED") throw error;
      if (error.code === "BACKPRESSURE") this.#block(error);
      return messages.map(() => ({ status: "refused", error }));
    }
  }

  async #toTopics(messages: readonly WireMessage[], { isFirstSend, positions }: PublishRequest): Promise<Statuses> {
    const { dedupMs, dedupIdsMax, groupMessagesMax, history } = this.#settings;
    const packer = this.#packer;
    packer.clear();
    const batch = packer.beginArray();
    let values = 0;
    for (const message of messages) {
      const count = packer.beginNumber();
      packer.text(dedupMs === 0 ? "" : fingerprintOf(message.body));
      const own = packFields(packer, message);
      packer.endNumber(count, own);
      values += own + 2;
    }
    packer.endArray(batch, values);
    const reply = await this.#send(this.#scripts.publish, [
      packer.take(),
      isFirstSend === true ? "1" : "0",
      dedupMs,
      dedupIdsMax,
      groupMessagesMax,
      positions === true && history !== undefined ? "1" : "0",
      history?.countMax ?? 0,
      history?.maxAgeMs ?? 0,
    ]);
    return reply === 1 ? undefined : statusesOf(messages, reply as readonly unknown[], this.#settings);
  }

  async #toTarget(messages: readonly WireMessage[], target: NonNullable<PublishRequest["target"]>): Promise<Statuses> {
    const packer = this.#packer;
    packer.clear();
    packer.array(messages.length);
    for (const message of messages) {
      const start = packer.beginNested();
      packMessage(packer, message);
      packer.endNested(start);
    }
    const [kind, group] = "group" in target ? ["group", target.group] : ["dead", target.deadLetters];
    const reply = (await this.#send(this.#scripts.send, [kind, group, packer.take(), this.#settings.groupMessagesMax])) as readonly number[];
    if (reply.every((status) => status === 0)) return undefined;
    return reply.map((status) => (status === 0 ? accepted : { status: "refused", error: status === 5 ? noSuchGroup(group) : full(group, this.#settings) }));
  }

  /**
   * Batches fly one behind the other. Where one meets a server without the script, those behind it may do so too, and each is sent again in full:
   * until all of them are through, new ones wait, so that none overtakes.
   */
  #send(script: Script, args: readonly Argument[]): Promise<unknown> {
    const before = this.#isCareful ? [...this.#flying] : undefined;
    const sending = before === undefined ? this.#commands.runBytes(script, args, this.#onMissing) : this.#sendAfter(before, script, args);
    this.#flying.add(sending);
    const end = (): void => {
      this.#flying.delete(sending);
      if (this.#flying.size === 0) this.#isCareful = false;
    };
    sending.then(end, end);
    return sending;
  }

  async #sendAfter(before: readonly Promise<unknown>[], script: Script, args: readonly Argument[]): Promise<unknown> {
    await Promise.allSettled(before);
    return this.#commands.runBytes(script, args, this.#onMissing);
  }

  readonly #onMissing = (): void => {
    this.#isCareful = true;
  };

  /** `WAIT` covers all that this connection wrote before. */
  async #replicated(messages: readonly WireMessage[], statuses: Statuses, timeoutMs: number): Promise<Statuses> {
    const replicas = Number(await this.#commands.call("WAIT", 1, timeoutMs));
    if (replicas >= 1) return statuses;
    const error = new HalyardError("BACKPRESSURE", `No replica confirmed within ${timeoutMs} ms: the master has the message, and it is repeated under its id.`);
    return messages.map((_, index) => {
      const status = statuses?.[index] ?? accepted;
      return status.status === "accepted" ? { status: "unknown", error } : status;
    });
  }

  #block(error: HalyardError): void {
    const reason = String(error.details.redis ?? error.message);
    if (this.#blockedBy === reason) return;
    this.#blockedBy = reason;
    this.#host.report({ type: "blocked", reason: error.message });
  }

  #unblock(): void {
    if (this.#blockedBy === undefined) return;
    this.#blockedBy = undefined;
    this.#host.report({ type: "unblocked", reason: "Redis takes messages again." });
  }
}

const accepted: PublishStatus = Object.freeze({ status: "accepted" });

/** Tells bodies apart that came under one id. Length and CRC-32, written short: it is kept for every id. */
function fingerprintOf(body: Uint8Array): string {
  return `${body.byteLength.toString(36)}.${crc32(body).toString(36)}`;
}

/** Status and detail of each message in turn, as the script says them. */
function statusesOf(messages: readonly WireMessage[], reply: readonly unknown[], settings: Settings): readonly PublishStatus[] {
  return messages.map((message, index) => {
    const detail = String(reply[index * 2 + 1] ?? "");
    switch (reply[index * 2]) {
      case 0:
        return detail === "" ? accepted : { status: "accepted", position: detail };
      case 1:
        return { status: "accepted", duplicate: true };
      case 2:
        return { status: "refused", error: reused(message) };
      case 3:
        return { status: "refused", error: full(detail, settings) };
      default:
        return { status: "refused", error: tooManyIds(settings) };
    }
  });
}

const reused = ({ id, topic }: WireMessage): HalyardError =>
  new HalyardError("ID_REUSED", `The id ${id} was published to ${topic} before with another body: give each message its own id.`, { details: { id, topic } });

const full = (group: string, { groupMessagesMax }: Settings): HalyardError =>
  new HalyardError("BACKPRESSURE", `The group ${group} holds ${groupMessagesMax} messages, its limit: add members, purge it, or raise groupMessagesMax.`, {
    details: { group },
  });

const tooManyIds = ({ dedupIdsMax }: Settings): HalyardError =>
  new HalyardError("BACKPRESSURE", `${dedupIdsMax} ids are remembered, the limit: publish more slowly, shorten dedupMs, or raise dedupIdsMax.`);

const noSuchGroup = (group: string): HalyardError =>
  new HalyardError("NO_SUCH_GROUP", `There is no group ${group}: define it or subscribe to it first.`, { details: { group } });
