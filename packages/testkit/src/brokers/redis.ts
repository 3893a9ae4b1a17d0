/** Starts a Redis server that keeps what it confirmed. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, type BrokerPlan, type BrokerTls, startBroker } from "./broker.ts";
import { type Certificates, makeCertificates, placeCertificates, type SharedCertificates } from "./certificates.ts";
import { externalBroker } from "./external-broker.ts";
import { requireBroker, requireProgram } from "./find-broker.ts";
import { freePort } from "./free-port.ts";
import { probeRedis } from "./probe-redis.ts";

export interface RedisBrokerOptions {
  /** Default `yes`. */
  readonly appendonly?: "yes" | "no";
  /** Default `always`: what was answered is on disk. With `everysec` a kill -9 loses nothing, a loss of power up to a second. */
  readonly appendfsync?: "always" | "everysec" | "no";
  /** `requirepass`: of the user `default`. */
  readonly password?: string;
  /** Lines of `user …` as Redis' ACL writes them, without the word `user`: `app on >secret ~halyard:* +@all`. */
  readonly users?: readonly string[];
  /** The broker asks for TLS, on its only port, with a certificate made for it. Needs `openssl`. */
  readonly tls?: boolean;
  /** The broker also asks for a certificate of the client. Only with `tls`. */
  readonly mutualTls?: boolean;
  /** Lines of redis.conf, after those of the launcher: the last of a setting counts. */
  readonly config?: readonly string[];
  /** Always start one here, also where `HALYARD_TEST_REDIS_URL` is set: for what must be killed or configured. */
  readonly isOwned?: boolean;
}

const readyMsMax = 20_000;
const stopMsMax = 10_000;

/**
 * A Redis server on a free loopback port, with an append-only file that is synced on every write. Where `HALYARD_TEST_REDIS_URL` is set and no option
 * asks for more, that server is used instead.
 *
 * @throws HalyardError CONNECT_FAILED where there is none, or it does not start
 */
export async function startRedis(options: RedisBrokerOptions = {}): Promise<Broker> {
  if (Object.keys(options).length === 0) {
    const found = requireBroker("redis");
    if ("url" in found) return externalBroker("redis", found.url);
  }
  return startRedisNode(options);
}

/** One of several that belong together, where `shared` is given: it shows and asks for certificates of their one authority. */
export function startRedisNode(options: RedisBrokerOptions, shared?: SharedCertificates): Promise<Broker> {
  const program = requireProgram("redis");
  return startBroker("redis", (directory) => planRedis(program, directory, options, shared));
}

async function planRedis(program: string, directory: string, options: RedisBrokerOptions, shared: SharedCertificates | undefined): Promise<BrokerPlan> {
  const port = await freePort();
  const certificates = await certificatesOf(directory, options, shared);
  await writeFile(join(directory, "redis.conf"), configOf(port, directory, options, certificates));
  const tls: BrokerTls | undefined = certificates;
  const credentials = options.password === undefined ? "" : `:${encodeURIComponent(options.password)}@`;
  return {
    name: "redis-server",
    url: `${tls === undefined ? "redis" : "rediss"}://${credentials}127.0.0.1:${port}`,
    port,
    directory,
    program,
    args: [join(directory, "redis.conf")],
    ...(tls === undefined ? {} : { tls }),
    probe: () => probeRedis({ port, password: options.password, tls }),
    stopMsMax,
    readyMsMax,
  };
}

async function certificatesOf(directory: string, { tls }: RedisBrokerOptions, shared: SharedCertificates | undefined): Promise<Certificates | undefined> {
  if (shared !== undefined) return placeCertificates(directory, shared);
  return tls === true ? makeCertificates(directory) : undefined;
}

/** Lines of redis.conf and sentinel.conf: where it listens, with TLS on its only port or without. */
export function listenLines(port: number, certificates: Certificates | undefined, mutualTls: boolean): readonly string[] {
  if (certificates === undefined) return ["bind 127.0.0.1", `port ${port}`];
  const { ca, serverCertificate, serverKey } = certificates.files;
  return [
    "bind 127.0.0.1",
    "port 0",
    `tls-port ${port}`,
    `tls-cert-file ${serverCertificate}`,
    `tls-key-file ${serverKey}`,
    `tls-ca-cert-file ${ca}`,
    `tls-auth-clients ${mutualTls ? "yes" : "no"}`,
  ];
}

function configOf(port: number, directory: string, options: RedisBrokerOptions, certificates: Certificates | undefined): string {
  return [
    ...listenLines(port, certificates, options.mutualTls === true),
    `dir "${directory}"`,
    "daemonize no",
    'save ""',
    `appendonly ${options.appendonly ?? "yes"}`,
    `appendfsync ${options.appendfsync ?? "always"}`,
    "maxmemory-policy noeviction",
    ...(options.password === undefined ? [] : [`requirepass ${JSON.stringify(options.password)}`]),
    ...(options.users ?? []).map((user) => `user ${user}`),
    ...(options.config ?? []),
    "",
  ].join("\n");
}
