/**
 * The suites' RabbitMQ, and what they do to it behind Halyard's back. Its user may do no more than the README asks for. Where `HALYARD_TEST_AMQP_URL` names
 * a broker that runs already, such a user is made there for the time of the suite; where that cannot be done the suite runs as the user of the URL.
 */
import { randomBytes } from "node:crypto";
import type { BackendSuiteOptions, FaultProxy } from "@halyard/testkit";
import { findBroker, type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { connect } from "amqplib";
import { type AmqpOptions, amqp } from "../src/index.ts";
import { leastPrivileges } from "./least-privileges.ts";

/** For namespaces that begin with `kit-`. */
const permissions = leastPrivileges("kit-[0-9a-f]+");
/** A name and a password that nobody else knows: the broker may not be ours. */
const user = { name: `kit-${randomBytes(4).toString("hex")}`, password: `kit-${randomBytes(8).toString("hex")}/with%odd:signs@`, permissions };

export interface ServedOptions {
  /** Through a fault proxy. */
  readonly isProxied?: boolean;
  /** The backend may ask the management plugin, as a user with the tag `monitoring`. */
  readonly isManaged?: boolean;
  /** Added to what `amqp()` gets. */
  readonly amqp?: Partial<AmqpOptions>;
}

/** Dead peers are noticed within the cases' deadlines. */
const impatient: Partial<AmqpOptions> = { heartbeatMs: 1_000, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 };

export function onRabbitmq({ isProxied = false, isManaged = false, amqp: more = {} }: ServedOptions = {}): BackendSuiteOptions {
  let broker: RabbitmqBroker | undefined;
  let account: { readonly name: string; readonly password: string } = user;
  let canSweep = true;
  const found = findBroker("rabbitmq");
  const given = found !== undefined && "url" in found ? found.url : undefined;
  const running = (): RabbitmqBroker => {
    if (broker === undefined) throw new Error("RabbitMQ is started by setup.");
    return broker;
  };
  const optionsFor = (proxy: FaultProxy | undefined): AmqpOptions => ({
    host: proxy === undefined ? running().host : "127.0.0.1",
    port: proxy?.port ?? running().port,
    vhost: vhostOf(running()),
    user: account.name,
    password: account.password,
    ...impatient,
    ...(isManaged ? { managementUrl: running().managementUrl } : {}),
    ...more,
  });
  return {
    async setup() {
      broker = await startRabbitmq();
      try {
        await broker.createUser({ ...user, tags: isManaged ? ["monitoring"] : [], vhost: vhostOf(broker) });
      } catch (error) {
        if (broker.isOwned) throw error;
        account = { name: broker.user, password: broker.password };
        canSweep = await manage(broker, "GET", "overview").then(() => true, () => false); // biome-ignore format: the two ends
        const rest = canSweep ? "" : " The management plugin does not answer either, so queues and exchanges that begin with kit- stay there.";
        console.warn(`\n!!! The suite runs as the user of HALYARD_TEST_AMQP_URL, not as one with least privileges: ${String(error)}.${rest}\n`);
      }
    },
    async teardown() {
      if (broker?.isOwned === false && account === user) await manage(broker, "DELETE", `users/${user.name}`);
      await broker?.stop();
    },
    create: ({ proxy }) => amqp(optionsFor(proxy)),
    ...(isProxied ? { target: () => ({ host: running().host, port: running().port }) } : {}),
    ...(given === undefined ? { restartBroker: () => running().restart() } : {}),
    destroyGroup: ({ namespace }, group) => deleteQueue(running(), `${namespace}.group.${group}`),
    wrongCredentials: ({ proxy }) => amqp({ ...optionsFor(proxy), password: "wrong-S3cret" }),
    secrets: [
      user.password,
      "wrong-S3cret",
      ...(given === undefined ? [] : [decodeURIComponent(new URL(given).password)].filter((secret) => secret.length > 5)),
    ],
    sweep: async ({ namespace }) => (canSweep ? sweep(running(), namespace) : undefined),
  };
}

function vhostOf({ url }: RabbitmqBroker): string {
  const path = decodeURIComponent(new URL(url).pathname.slice(1));
  return path === "" ? "/" : path;
}

async function deleteQueue(broker: RabbitmqBroker, queue: string): Promise<void> {
  const connection = await connect(broker.url);
  connection.on("error", () => undefined);
  const channel = await connection.createChannel();
  await channel.deleteQueue(queue);
  await connection.close();
}

/** One request to the management plugin, as its administrator. */
export async function manage(broker: RabbitmqBroker, method: string, path: string, body?: unknown, triesMax = 3): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`${broker.user}:${broker.password}`).toString("base64")}`;
  const response = await fetch(`${broker.managementUrl}/api/${path}`, {
    method,
    headers: { authorization, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // The plugin answers so where a queue goes while it lists all of them.
  if (response.status === 500 && method === "GET" && triesMax > 1) return manage(broker, method, path, body, triesMax - 1);
  if (!response.ok && response.status !== 404) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" || response.status === 404 ? undefined : JSON.parse(text);
}

/** Deletes what a namespace left. */
export async function sweep(broker: RabbitmqBroker, namespace: string): Promise<void> {
  const vhost = encodeURIComponent(vhostOf(broker));
  for (const kind of ["queues", "exchanges"]) {
    const found = (await manage(broker, "GET", `${kind}/${vhost}?columns=name&disable_stats=true`)) as { readonly name: string }[];
    const left = found.filter(({ name }) => name === namespace || name.startsWith(`${namespace}.`));
    await Promise.all(left.map(({ name }) => manage(broker, "DELETE", `${kind}/${vhost}/${encodeURIComponent(name)}`)));
  }
}
