/** The publishing side of a session: batches become calls of scripts, replies become statuses. */
import { crc32 } from "node:zlib";
import { HalyardError, type Host, isHalyardError, type PublishRequest, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import type { Commands } from "./commands.ts";
import type { Settings } from "./options.ts";
import { Packer } from "./packer.ts";
import { callMessagesMax, PublishLine, type Statuses } from "./publish-line.ts";
import type { Scripts } from "./scripts/index.ts";
import { packFields, packMessage } from "./wire.ts";

export class Publisher {
  readonly #commands: Commands;
  readonly #scripts: Scripts;
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #packer = new Packer();
  readonly #line = new PublishLine((messages, request) => this.#publish(messages, request));
  #blockedBy: string | undefined;

  constructor(parts: { commands: Commands; scripts: Scripts; settings: Settings; host: Host }) {
    this.#commands = parts.commands;
    this.#scripts = parts.scripts;
    this.#settings = parts.settings;
    this.#host = parts.host;
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    return messages.length <= callMessagesMax ? this.#line.add(messages, request) : this.#publishParts(messages, request);
  }

  async #publishParts(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    const statuses: PublishStatus[] = [];
    for (let from = 0; from < messages.length; from += callMessagesMax) {
      const part = messages.slice(from, from + callMessagesMax);
      statuses.push(...((await this.#line.add(part, request)) ?? part.map(() => accepted)));
      const last = statuses.at(-1);
      if (last === undefined || last.status === "accepted" || !isHalyardError(last.error, "BACKPRESSURE")) continue;
      // What follows a message that found no room must not overtake it.
      const { error } = last;
      statuses.push(...messages.slice(statuses.length).map(() => ({ status: "refused", error }) as const));
      break;
    }
    return statuses;
  }

  async #publish(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    const { target } = request;
    try {
      const statuses = target === undefined ? await this.#toTopics(messages, request) : await this.#toTarget(messages, target);
      this.#unblock();
      return this.#settings.replicaTimeoutMs === undefined ? statuses : await this.#replicated(messages, statuses, this.#settings.replicaTimeoutMs);
    } catch (error) {
      if (!isHalyardError(error) || error.code === "CONNECTION_LOST" || error.code === "AUTH_FAILED") throw error;
      if (error.code === "BACKPRESSURE") this.#block(error);
      return messages.map(() => ({ status: "refused", error }));
    }
  }

  async #toTopics(messages: readonly WireMessage[], { isFirstSend, positions }: PublishRequest): Promise<Statuses> {
    const { dedupMs, history } = this.#settings;
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
    const reply = await this.#commands.runBytes(
      this.#scripts.publish,
      [packer.take(), isFirstSend === true ? "1" : "0", positions === true && history !== undefined ? "1" : "0"],
      this.#line.onMissing,
    );
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
    const reply = (await this.#commands.runBytes(
      this.#scripts.send,
      [kind, group, packer.take(), this.#settings.groupMessagesMax],
      this.#line.onMissing,
    )) as readonly number[];
    if (reply.every((status) => status === 0)) return undefined;
    return reply.map((status) => (status === 0 ? accepted : { status: "refused", error: status === 5 ? noSuchGroup(group) : full(group, this.#settings) }));
  }

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
