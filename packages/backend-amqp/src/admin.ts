/** The control plane. What AMQP itself does not say (who is bound, what is in flight) comes from the management plugin where its URL is given. */
import type { Admin, GroupInfo, HalyardError } from "@halyard/core/spi";
import { versionMin, versionNumber } from "./capabilities.ts";
import { type ChannelParts, openChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import { delayClasses } from "./delay-classes.ts";
import { abortedError } from "./errors.ts";
import type { Management } from "./management.ts";
import type { NamespaceNames } from "./names.ts";
import type { Settings } from "./options.ts";
import type { Outgoing } from "./outgoing.ts";
import { sweepWaiting } from "./sweep-waiting.ts";
import { unlessAborted } from "./waiting.ts";

export interface AdminParts {
  readonly names: NamespaceNames;
  readonly settings: Settings;
  readonly declare: Declare;
  readonly channels: ChannelParts;
  readonly management: Management | undefined;
  readonly outgoing: Outgoing;
  readonly lost: () => HalyardError | undefined;
  readonly blocked: () => string | undefined;
  readonly version: string;
  readonly product: string;
  /** Called before the group's queue goes, so that members of this session know. */
  readonly onRemoving: (group: string) => void;
  readonly onDefined: (group: string) => void;
}

export function adminOf(parts: AdminParts): Admin {
  const { names, declare, channels, outgoing, lost } = parts;

  async function alive<Value>(what: string, signal: AbortSignal, run: () => Promise<Value>): Promise<Value> {
    const error = lost();
    if (error !== undefined) throw error;
    return unlessAborted(signal, () => abortedError(what), run());
  }

  return {
    ping: (signal) => outgoing.ping(signal),
    warnings: (signal) => alive("Asking for warnings", signal, () => warningsOf(parts, signal)),
    defineGroup: (name, { add, drop }, signal) =>
      alive(`Defining the group ${name}`, signal, async () => {
        await declare.group(name, add, drop);
        parts.onDefined(name);
      }),
    removeGroup: (name, signal) =>
      alive(`Removing the group ${name}`, signal, async () => {
        parts.onRemoving(name);
        await declare.removeGroup(name);
        await sweepWaiting({ channels, declare, names, group: name, classes: delayClasses, open: () => openChannel(channels) });
      }),
    purgeGroup: (name, signal) => alive(`Purging the group ${name}`, signal, async () => (await declare.purge(names.group(name))) ?? 0),
    group: (name, signal) => alive(`Looking at the group ${name}`, signal, () => groupOf(parts, name, signal)),
    groups: (signal) => alive("Listing the groups", signal, () => groupsOf(parts, signal)),
    topics: async () => undefined,
  };
}

async function groupOf({ names, declare, management }: AdminParts, name: string, signal: AbortSignal): Promise<GroupInfo | undefined> {
  const queue = names.group(name);
  const found = await declare.look(queue);
  if (found === undefined) return undefined;
  const info: GroupInfo = {
    name,
    patterns: undefined,
    waiting: found.messageCount,
    delayed: undefined,
    inFlight: undefined,
    members: found.consumerCount === 0 ? 0 : undefined,
  };
  if (management === undefined) return info;
  // The plugin's numbers are seconds old; those of the broker itself are exact, so only what it does not say is taken.
  const patterns = await management.bindings(names.exchange, queue, signal);
  return { ...info, patterns };
}

/** Groups are the queues whose names are made of a group's name. */
async function groupsOf(parts: AdminParts, signal: AbortSignal): Promise<readonly GroupInfo[] | undefined> {
  const { names, management } = parts;
  if (management === undefined) return undefined;
  const marker = "halyard-marker";
  const [before = "", after = ""] = names.group(marker).split(marker);
  const found: GroupInfo[] = [];
  for (const { name } of await management.queues(signal)) {
    if (!name.startsWith(before) || !name.endsWith(after)) continue;
    const info = await groupOf(parts, name.slice(before.length, name.length - after.length), signal);
    if (info !== undefined) found.push(info);
  }
  return found;
}

/** How long core lets a handler run by default, milliseconds: RabbitMQ's own default of 30 minutes is no reason for a warning. */
const handlerMsUsual = 300_000;

async function warningsOf({ settings, version, product, blocked, management }: AdminParts, signal: AbortSignal): Promise<readonly string[]> {
  const warnings: string[] = [];
  if (product !== "RabbitMQ") warnings.push(`The broker calls itself ${product}: the promises are tested on RabbitMQ.`);
  if (versionNumber(version) < versionNumber(versionMin))
    warnings.push(`RabbitMQ ${version} is older than ${versionMin}: delays and retries do not work. Update it.`);
  if (settings.queue.type === "classic")
    warnings.push('Groups have classic queues, which are not replicated and count no deliveries: use queue.type "quorum" unless priorities are needed.');
  if (settings.consumerTimeoutMs !== undefined && settings.consumerTimeoutMs < handlerMsUsual)
    warnings.push(
      `Handlers that run longer than ${settings.consumerTimeoutMs} ms are cut off: raise consumer_timeout in rabbitmq.conf and the option consumerTimeoutMs where that is too short.`,
    );
  const reason = blocked();
  if (reason !== undefined) warnings.push(`RabbitMQ takes no messages for now (${reason}): free memory or disk.`);
  for (const node of (await management?.nodes(signal)) ?? []) {
    const name = String(node.name);
    if (node.running === false) warnings.push(`The node ${name} is down: start it, so that quorum queues have all their replicas.`);
    if (node.mem_alarm === true) warnings.push(`The node ${name} has used up its memory: publishers are blocked until it is freed.`);
    if (node.disk_free_alarm === true) warnings.push(`The node ${name} has used up its disk: publishers are blocked until it is freed.`);
  }
  return warnings;
}
