/** The control plane. What AMQP itself does not say (who is bound, what is in flight) comes from the management plugin where its URL is given. */
import { type Admin, type GroupInfo, type HalyardError, unlessAborted } from "@halyard/core/spi";
import { versionMin, versionNumber } from "./capabilities.ts";
import type { ConsumerTimeout } from "./consumer-timeout.ts";
import type { Declare } from "./declare.ts";
import { abortedError } from "./errors.ts";
import type { ConsumerFacts, Management, QueueFacts } from "./management.ts";
import type { NamespaceNames } from "./names.ts";
import type { Settings } from "./options.ts";
import type { Outgoing } from "./outgoing.ts";
import { groupIn, policyWarnings } from "./policies.ts";

export interface AdminParts {
  readonly names: NamespaceNames;
  readonly settings: Settings;
  readonly consumerTimeout: ConsumerTimeout;
  readonly declare: Declare;
  readonly management: Management | undefined;
  readonly outgoing: Outgoing;
  readonly lost: () => HalyardError | undefined;
  readonly blocked: () => string | undefined;
  readonly version: string;
  readonly product: string;
}

export function adminOf(parts: AdminParts): Admin {
  const { names, declare, outgoing, lost } = parts;

  async function alive<Value>(what: string, signal: AbortSignal, run: () => Promise<Value>): Promise<Value> {
    const error = lost();
    if (error !== undefined) throw error;
    return unlessAborted(signal, () => abortedError(what), run());
  }

  return {
    ping: (signal) => outgoing.ping(signal),
    warnings: (signal) => alive("Asking for warnings", signal, () => warningsOf(parts, signal)),
    defineGroup: (name, { add, drop }, signal) => alive(`Defining the group ${name}`, signal, async () => void (await declare.group(name, add, drop))),
    removeGroup: (name, signal) => alive(`Removing the group ${name}`, signal, () => declare.removeGroup(name)),
    purgeGroup: (name, signal) => alive(`Purging the group ${name}`, signal, async () => (await declare.purge(names.group(name))) ?? 0),
    group: (name, signal) => alive(`Looking at the group ${name}`, signal, () => groupOf(parts, name, signal)),
    groups: (signal) => alive("Listing the groups", signal, () => groupsOf(parts, signal)),
    topics: (signal) => alive("Listing the topics", signal, async () => undefined),
  };
}

async function groupOf({ names, declare, management, settings }: AdminParts, name: string, signal: AbortSignal): Promise<GroupInfo | undefined> {
  const queue = names.group(name);
  const found = await declare.look(queue);
  if (found === undefined) return undefined;
  const isUnused = found.consumerCount === 0;
  const info: GroupInfo = {
    name,
    patterns: undefined,
    waiting: found.messageCount,
    delayed: undefined, // the wait queues are shared by all groups, and count no keys
    // A quorum queue counts a cancelled consumer until all that it held is settled.
    inFlight: isUnused && settings.queue.type === "quorum" ? 0 : undefined,
    members: isUnused ? 0 : undefined,
  };
  if (management === undefined || !(await management.hasExchange(names.exchange, signal))) return info;
  // The plugin's numbers are seconds old; those of the broker itself are exact, so only what it does not say is taken.
  const exclusive = names.exclusive(name);
  const [patterns, facts, exclusiveFound, exclusiveFacts] = await Promise.all([
    management.bindings(names.exchange, queue, signal),
    management.queue(queue, signal),
    declare.look(exclusive),
    management.queue(exclusive, signal),
  ]);
  const competing = allConsumers(facts, found.consumerCount);
  const waiting = allConsumers(exclusiveFacts, exclusiveFound?.consumerCount ?? 0);
  return { ...info, patterns, inFlight: info.inFlight ?? facts?.unacked, members: membersOf(competing, waiting) };
}

/**
 * `undefined`: the plugin does not know all consumers yet that the broker has, or still knows some that it no longer has. The broker itself does not count
 * consumers that wait to be the single active one.
 */
function allConsumers(facts: QueueFacts | undefined, activeCount: number): readonly ConsumerFacts[] | undefined {
  const consumers = activeCount === 0 ? [] : (facts?.consumers ?? []);
  return consumers.filter(({ isActive }) => isActive).length === activeCount ? consumers : undefined;
}

/** A member is a channel with one or more consumers. One of an exclusive group that waits consumes the group's exclusive queue only. */
function membersOf(competing: readonly ConsumerFacts[] | undefined, exclusive: readonly ConsumerFacts[] | undefined): number | undefined {
  if (competing === undefined || exclusive === undefined) return undefined;
  return new Set(competing.map(({ channel }) => channel)).size + exclusive.filter(({ isActive }) => !isActive).length;
}

/** Groups are the queues whose names are made of a group's name. */
async function groupsOf(parts: AdminParts, signal: AbortSignal): Promise<readonly GroupInfo[] | undefined> {
  const { names, management } = parts;
  if (management === undefined || !(await management.hasExchange(names.exchange, signal))) return undefined;
  const group = groupIn(names.group);
  const found: GroupInfo[] = [];
  for (const queue of await management.queues(signal)) {
    const name = group(queue);
    const info = name === undefined ? undefined : await groupOf(parts, name, signal);
    if (info !== undefined) found.push(info);
  }
  return found;
}

/** How long core lets a handler run by default, milliseconds: RabbitMQ's own default of 30 minutes is no reason for a warning. */
const handlerMsUsual = 300_000;

async function warningsOf(
  { names, declare, settings, consumerTimeout: { timeoutMs }, version, product, blocked, management }: AdminParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  await declare.check().catch(() => undefined); // what is gone is reported there; what fails otherwise is looked at again, or ends the session
  if (product !== "RabbitMQ") warnings.push(`The broker calls itself ${product}: the promises are tested on RabbitMQ.`);
  if (versionNumber(version) < versionNumber(versionMin))
    warnings.push(`RabbitMQ ${version} is older than ${versionMin}: delays and retries do not work. Update it.`);
  if (settings.queue.type === "classic")
    warnings.push('Groups have classic queues, which are not replicated and count no deliveries: use queue.type "quorum" unless priorities are needed.');
  if (timeoutMs !== undefined && timeoutMs < handlerMsUsual)
    warnings.push(
      `Handlers that run longer than ${timeoutMs} ms are cut off: raise consumer_timeout in rabbitmq.conf and the option consumerTimeoutMs where that is too short.`,
    );
  const reason = blocked();
  if (reason !== undefined) warnings.push(`RabbitMQ takes no messages for now (${reason}): free memory or disk.`);
  if (management === undefined) return warnings;
  if (!(await management.hasExchange(names.exchange, signal)))
    warnings.push(
      `The management plugin knows no exchange ${names.exchange} where it is asked: check managementUrl and vhost. Until then groups are not listed.`,
    );
  warnings.push(...policyWarnings(names, await management.queues(signal), await management.policies(signal)));
  for (const node of await management.nodes(signal)) {
    const name = String(node.name);
    if (node.running === false) warnings.push(`The node ${name} is down: start it, so that quorum queues have all their replicas.`);
    if (node.mem_alarm === true) warnings.push(`The node ${name} has used up its memory: publishers are blocked until it is freed.`);
    if (node.disk_free_alarm === true) warnings.push(`The node ${name} has used up its disk: publishers are blocked until it is freed.`);
  }
  return warnings;
}
