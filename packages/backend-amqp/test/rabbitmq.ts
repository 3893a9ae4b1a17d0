/** The suites' RabbitMQ, and what they do to it behind Halyard's back. Its user may do no more than the README asks for. */
import type { BackendSuiteOptions, FaultProxy } from "@halyard/testkit";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { type AmqpOptions, amqp } from "../src/index.ts";

/** As in the README, for namespaces that begin with `kit-` instead of one called `shop`. */
const permissions = { configure: "^kit-[0-9a-f]+(\\..*)?$", write: "^(kit-[0-9a-f]+(\\..*)?|amq\\.default)$", read: "^kit-[0-9a-f]+(\\..*)?$" };
const user = { name: "kit", password: "kit-S3cret/with%odd:signs@", permissions };

export interface ServedOptions {
  /** Through a fault proxy. */
  readonly isProxied?: boolean;
  /** The backend may ask the management plugin, as a user with the tag `monitoring`. */
  readonly isManaged?: boolean;
  /** Added to what `amqp()` gets. */
  readonly amqp?: Partial<AmqpOptions>;
}

/** Dead peers are noticed within the cases' deadlines. */
const impatient: Partial<AmqpOptions> = { heartbeatMs: 1_000, connectionTimeoutMs: 5_000, requestTimeoutMs: 5_000 };

export function onRabbitmq({ isProxied = false, isManaged = false, amqp: more = {} }: ServedOptions = {}): BackendSuiteOptions {
  let broker: RabbitmqBroker | undefined;
  const running = (): RabbitmqBroker => {
    if (broker === undefined) throw new Error("RabbitMQ is started by setup.");
    return broker;
  };
  const optionsFor = (proxy: FaultProxy | undefined): AmqpOptions => ({
    host: "127.0.0.1",
    port: proxy?.port ?? running().port,
    user: user.name,
    password: user.password,
    ...impatient,
    ...(isManaged ? { managementUrl: running().managementUrl } : {}),
    ...more,
  });
  return {
    async setup() {
      broker = await startRabbitmq();
      await broker.createUser({ ...user, tags: isManaged ? ["monitoring"] : [] });
    },
    async teardown() {
      await broker?.stop();
    },
    create: ({ proxy }) => amqp(optionsFor(proxy)),
    ...(isProxied ? { target: () => ({ host: running().host, port: running().port }) } : {}),
    ...(process.env.HALYARD_TEST_AMQP_URL === undefined ? { restartBroker: () => running().restart() } : {}),
    destroyGroup: async ({ namespace }, group) => void (await manage(running(), "DELETE", `queues/%2F/${namespace}.group.${group}`)),
    wrongCredentials: ({ proxy }) => amqp({ ...optionsFor(proxy), password: "wrong-S3cret" }),
    secrets: [user.password, "wrong-S3cret"],
    sweep: ({ namespace }) => sweep(running(), namespace),
  };
}

/** One request to the management plugin, as its administrator. */
export async function manage(broker: RabbitmqBroker, method: string, path: string, body?: unknown): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`${broker.user}:${broker.password}`).toString("base64")}`;
  const response = await fetch(`${broker.managementUrl}/api/${path}`, {
    method,
    headers: { authorization, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok && response.status !== 404) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" || response.status === 404 ? undefined : JSON.parse(text);
}

/** Deletes what a namespace left. */
export async function sweep(broker: RabbitmqBroker, namespace: string): Promise<void> {
  for (const kind of ["queues", "exchanges"]) {
    const found = (await manage(broker, "GET", `${kind}/%2F?columns=name&disable_stats=true`)) as { readonly name: string }[];
    const left = found.filter(({ name }) => name === namespace || name.startsWith(`${namespace}.`));
    await Promise.all(left.map(({ name }) => manage(broker, "DELETE", `${kind}/%2F/${encodeURIComponent(name)}`)));
  }
}
