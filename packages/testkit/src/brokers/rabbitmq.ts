/** Starts a RabbitMQ node that shares nothing with one the machine may run: node name, data, cookie, plugins, ports and name server are its own. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, type BrokerPlan, type BrokerTls, startBroker } from "./broker.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { type Epmd, startEpmd } from "./epmd.ts";
import { externalBroker } from "./external-broker.ts";
import { requireBroker, requireProgram } from "./find-broker.ts";
import { freePort } from "./free-port.ts";
import { probeAmqp } from "./probe-amqp.ts";
import { controlNode, type RabbitmqNode } from "./rabbitmq-control.ts";

export interface RabbitmqUser {
  readonly name: string;
  readonly password: string;
  /** Regular expressions over names of resources. Default: everything. */
  readonly permissions?: { readonly configure: string; readonly write: string; readonly read: string };
  /** Of the management plugin, e.g. `["monitoring"]`. Default none. */
  readonly tags?: readonly string[];
  /** Default `/`. */
  readonly vhost?: string;
}

export interface RabbitmqBrokerOptions {
  /** Made beside the administrator whose credentials are in the URL. */
  readonly users?: readonly RabbitmqUser[];
  /** The broker asks for TLS, on its only AMQP port, with a certificate made for it. Needs `openssl`. */
  readonly tls?: boolean;
  /** The broker also asks for a certificate of the client. Only with `tls`. */
  readonly mutualTls?: boolean;
  /** Plugins beside the management plugin, e.g. `rabbitmq_stream`. */
  readonly plugins?: readonly string[];
  /** Lines of rabbitmq.conf, e.g. `consumer_timeout = 5000`. */
  readonly config?: readonly string[];
  /** Always start one here, also where `HALYARD_TEST_AMQP_URL` is set: for what must be killed or configured. */
  readonly isOwned?: boolean;
}

export interface RabbitmqBroker extends Broker {
  /** Of the HTTP API, without credentials: those of `url` hold there too. */
  readonly managementUrl: string;
  readonly user: string;
  readonly password: string;
  /** As Erlang knows it; empty for a broker that is not ours. */
  readonly nodeName: string;
  /** Creates or changes a user through the management API. */
  createUser(user: RabbitmqUser): Promise<void>;
  /** On: every publishing connection is blocked, as if the memory were used up. */
  setMemoryAlarm(isOn: boolean): Promise<void>;
  /** Runs `rabbitmqctl` on this node and resolves with its output; only for a broker of our own. */
  control(...args: readonly string[]): Promise<string>;
}

/**
 * When RabbitMQ stops, its management plugin asks for something that whoever stops it would have to answer, and waits five seconds in vain (3.10.8): five of
 * the six that an orderly stop takes. Taken out before, by an expression of Erlang, it has nothing to ask.
 */
const withoutPluginsWait = "gen_event:delete_handler(rabbit_event, rabbit_mgmt_db_handler, []).";

const readyMsMax = 60_000;
const stopMsMax = 30_000;

/**
 * A RabbitMQ node with the management plugin on free loopback ports; takes about 5 s. Where `HALYARD_TEST_AMQP_URL` is set and no option asks for more,
 * that broker is used instead, and `HALYARD_TEST_AMQP_MANAGEMENT_URL` says where its management plugin answers (default port 15672 of its host).
 *
 * @throws HalyardError CONNECT_FAILED where there is none, or it does not start
 */
export async function startRabbitmq(options: RabbitmqBrokerOptions = {}): Promise<RabbitmqBroker> {
  if (Object.keys(options).length === 0) {
    const found = requireBroker("rabbitmq");
    if ("url" in found) return externalRabbitmq(found.url);
  }
  const broker = await startNode(options);
  for (const user of options.users ?? []) await broker.createUser(user);
  return broker;
}

/** What the nodes of a cluster share; everything in it is made before the first starts. */
export interface RabbitmqFamily {
  readonly nodeName: string;
  /** Holds the cookie. */
  readonly home: string;
  readonly epmd: Epmd;
  readonly user: string;
  readonly password: string;
}

export async function startNode(options: RabbitmqBrokerOptions, family?: RabbitmqFamily): Promise<RabbitmqBroker> {
  const program = requireProgram("rabbitmq");
  let node: RabbitmqNode | undefined;
  const triesMax = family === undefined ? undefined : 1;
  const planFor = async (directory: string): Promise<BrokerPlan> => {
    const planned = await planRabbitmq(program, directory, options, family ?? (await familyOfOne(directory)));
    node = planned.node;
    return family === undefined ? { ...planned.plan, companions: [planned.epmd.process] } : planned.plan;
  };
  const broker = await startBroker("rabbitmq", planFor, triesMax);
  if (node === undefined) throw new Error("startBroker plans before it starts");
  return Object.assign(broker, controlNode(node));
}

async function familyOfOne(directory: string): Promise<RabbitmqFamily> {
  const home = join(directory, "home");
  await mkdir(home);
  const epmd = await startEpmd(home);
  return { nodeName: `halyard-${epmd.port}@${nodeHost}`, home, epmd, ...newAdministrator() };
}

export const newAdministrator = (): { readonly user: string; readonly password: string } => ({ user: "halyard", password: randomBytes(12).toString("hex") });

function externalRabbitmq(url: string): RabbitmqBroker {
  const { hostname, username, password } = new URL(url);
  const broker = externalBroker("rabbitmq", url);
  const managementUrl = process.env.HALYARD_TEST_AMQP_MANAGEMENT_URL ?? `http://${hostname}:15672`;
  const access = { user: decodeURIComponent(username) || "guest", password: decodeURIComponent(password) || "guest", nodeName: "", managementUrl };
  return Object.assign(broker, controlNode(access));
}

/** The host part of Erlang's node names: it resolves everywhere. */
export const nodeHost = "localhost";

interface Planned {
  readonly plan: BrokerPlan;
  readonly node: RabbitmqNode;
  readonly epmd: Epmd;
}

async function planRabbitmq(program: string, directory: string, options: RabbitmqBrokerOptions, family: RabbitmqFamily): Promise<Planned> {
  const [port, managementPort, distributionPort] = [await freePort(), await freePort(), await freePort()];
  const certificates = options.tls === true ? await makeCertificates(directory) : undefined;
  const { user, password, epmd, nodeName } = family;
  await writeFile(join(directory, "rabbitmq.conf"), configOf({ port, managementPort, user, password, options, certificates }));
  await writeFile(join(directory, "enabled_plugins"), `[${["rabbitmq_management", ...(options.plugins ?? [])].join(",")}].\n`);
  const env = environmentOf({ directory, home: family.home, nodeName, distributionPort, epmd });
  const tls: BrokerTls | undefined = certificates;
  const node: RabbitmqNode = { user, password, nodeName, managementUrl: `http://127.0.0.1:${managementPort}`, env };
  const plan: BrokerPlan = {
    name: "rabbitmq-server",
    url: `${tls === undefined ? "amqp" : "amqps"}://${user}:${password}@127.0.0.1:${port}`,
    port,
    directory,
    program,
    args: [],
    env,
    ...(tls === undefined ? {} : { tls }),
    probe: () => probeAmqp({ port, user, password, vhost: "/", tls }),
    beforeStop: () => controlNode(node).control("eval", withoutPluginsWait),
    stopMsMax,
    readyMsMax,
  };
  return { plan, epmd, node };
}

interface ConfigParts {
  readonly port: number;
  readonly managementPort: number;
  readonly user: string;
  readonly password: string;
  readonly options: RabbitmqBrokerOptions;
  readonly certificates: Certificates | undefined;
}

function configOf({ port, managementPort, user, password, options, certificates }: ConfigParts): string {
  const listeners =
    certificates === undefined
      ? [`listeners.tcp.1 = 127.0.0.1:${port}`]
      : [
          "listeners.tcp = none",
          `listeners.ssl.1 = 127.0.0.1:${port}`,
          `ssl_options.cacertfile = ${certificates.files.ca}`,
          `ssl_options.certfile = ${certificates.files.serverCertificate}`,
          `ssl_options.keyfile = ${certificates.files.serverKey}`,
          `ssl_options.verify = ${options.mutualTls === true ? "verify_peer" : "verify_none"}`,
          `ssl_options.fail_if_no_peer_cert = ${options.mutualTls === true}`,
        ];
  return [
    ...listeners,
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${managementPort}`,
    `default_user = ${user}`,
    `default_pass = ${password}`,
    // How old the management plugin's counts are; 5,000 by default, for which tests would wait.
    "collect_statistics_interval = 1000",
    "log.file = false",
    "log.console = true",
    "log.console.level = info",
    ...(options.config ?? []),
    "",
  ].join("\n");
}

interface EnvironmentParts {
  readonly directory: string;
  readonly home: string;
  readonly nodeName: string;
  readonly distributionPort: number;
  readonly epmd: Epmd;
}

function environmentOf({ directory, home, nodeName, distributionPort, epmd }: EnvironmentParts): Readonly<Record<string, string>> {
  return {
    HOME: home, // where the Erlang cookie is made
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, "advanced.config"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_PLUGINS_EXPAND_DIR: join(directory, "plugins"),
    RABBITMQ_MNESIA_BASE: join(directory, "mnesia"),
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_PID_FILE: join(directory, "pid"),
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_DIST_PORT: String(distributionPort),
    ERL_EPMD_PORT: String(epmd.port),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_CRASH_DUMP_SECONDS: "0",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    // The script then becomes the virtual machine (exec) and leaves signals to it, so that its pid is the one that matters.
    RUNNING_UNDER_SYSTEMD: "true",
  };
}
