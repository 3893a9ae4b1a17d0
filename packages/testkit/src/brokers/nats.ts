/** Starts a NATS server with JetStream. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, type BrokerPlan, type BrokerTls, startBroker } from "./broker.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { externalBroker } from "./external-broker.ts";
import { requireBroker, requireProgram } from "./find-broker.ts";
import { freePort } from "./free-port.ts";
import { probeNats } from "./probe-nats.ts";

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** As in the server's `permissions` block: subjects it may publish to and subscribe to. Default all. */
  readonly permissions?: {
    readonly publish?: readonly string[] | { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
    readonly subscribe?: readonly string[] | { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
    readonly allow_responses?: boolean;
  };
}

export interface NatsBrokerOptions {
  /** The first is the one in the broker's URL. */
  readonly users?: readonly NatsUser[];
  readonly token?: string;
  /** The broker asks for TLS with a certificate made for it. Needs `openssl`. */
  readonly tls?: boolean;
  /** The broker also asks for a certificate of the client. Only with `tls`. */
  readonly mutualTls?: boolean;
  /** Default on, with its store in the broker's directory. `maxFileBytes` and `maxMemoryBytes`: what all streams together may take. */
  readonly jetstream?: false | { readonly maxFileBytes?: number; readonly maxMemoryBytes?: number };
  /** Text at the end of the generated configuration file. */
  readonly config?: string;
  /** Always start one here, also where `HALYARD_TEST_NATS_URL` is set: for what must be killed or configured. */
  readonly isOwned?: boolean;
}

const readyMsMax = 20_000;
const stopMsMax = 10_000;
const fileBytesDefault = 4 * 1_073_741_824;
const memoryBytesDefault = 268_435_456;

/**
 * A NATS server with JetStream on a free loopback port. Where `HALYARD_TEST_NATS_URL` is set and no option asks for more, that server is used instead.
 *
 * @throws HalyardError CONNECT_FAILED where there is none, or it does not start
 */
export async function startNats(options: NatsBrokerOptions = {}): Promise<Broker> {
  if (Object.keys(options).length === 0) {
    const found = requireBroker("nats");
    if ("url" in found) return externalBroker("nats", found.url);
  }
  const program = requireProgram("nats");
  return startBroker("nats", async (directory) => planNats({ program, directory, options, ports: { client: await freePort(), monitor: await freePort() } }));
}

export interface NatsPlanParts {
  readonly program: string;
  readonly directory: string;
  readonly options: NatsBrokerOptions;
  readonly ports: { readonly client: number; readonly monitor: number };
}

export async function planNats({ program, directory, options, ports: { client: port, monitor: monitorPort } }: NatsPlanParts): Promise<BrokerPlan> {
  const certificates = options.tls === true ? await makeCertificates(directory) : undefined;
  const file = join(directory, "nats.conf");
  await writeFile(file, natsConfig({ port, monitorPort, directory, options, certificates }));
  const tls: BrokerTls | undefined = certificates;
  return {
    name: "nats-server",
    url: `${tls === undefined ? "nats" : "tls"}://${userInfo(options)}127.0.0.1:${port}`,
    port,
    directory,
    program,
    args: ["--config", file],
    ...(tls === undefined ? {} : { tls }),
    probe: () => probeNats({ port, monitorPort, credentials: credentialsOf(options), tls }),
    stopMsMax,
    readyMsMax,
  };
}

function userInfo({ users, token }: NatsBrokerOptions): string {
  const first = users?.[0];
  if (first !== undefined) return `${encodeURIComponent(first.user)}:${encodeURIComponent(first.password)}@`;
  return token === undefined ? "" : `${encodeURIComponent(token)}@`;
}

/** What the probe says in CONNECT. */
function credentialsOf({ users, token }: NatsBrokerOptions): { readonly user?: string; readonly pass?: string; readonly auth_token?: string } {
  const first = users?.[0];
  if (first !== undefined) return { user: first.user, pass: first.password };
  return token === undefined ? {} : { auth_token: token };
}

interface NatsConfigParts {
  readonly port: number;
  readonly monitorPort: number;
  readonly directory: string;
  readonly options: NatsBrokerOptions;
  readonly certificates: Certificates | undefined;
}

/** The server reads JSON values in its own configuration language, so whatever comes from outside is written as JSON. */
function natsConfig({ port, monitorPort, directory, options, certificates }: NatsConfigParts): string {
  const { users, token, jetstream = {}, mutualTls = false, config = "" } = options;
  const lines = [`host: "127.0.0.1"`, `port: ${port}`, `http: "127.0.0.1:${monitorPort}"`];
  if (jetstream !== false) {
    const { maxFileBytes = fileBytesDefault, maxMemoryBytes = memoryBytesDefault } = jetstream;
    const parts = [`store_dir: ${JSON.stringify(join(directory, "jetstream"))}`, `max_file_store: ${maxFileBytes}`, `max_memory_store: ${maxMemoryBytes}`];
    lines.push(`jetstream { ${parts.join(", ")} }`);
  }
  if (users !== undefined) lines.push(`authorization { users: ${JSON.stringify(users)} }`);
  else if (token !== undefined) lines.push(`authorization { token: ${JSON.stringify(token)} }`);
  if (certificates !== undefined) {
    const { ca, serverCertificate, serverKey } = certificates.files;
    const files = { cert_file: serverCertificate, key_file: serverKey, ca_file: ca, verify: mutualTls };
    lines.push(`tls: ${JSON.stringify(files)}`);
  }
  return `${lines.join("\n")}\n${config}\n`;
}
