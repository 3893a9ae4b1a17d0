/**
 * A NATS server of its own for one suite. The bus signs in as a user with exactly the permissions that the README lists; the tests' own user may do all.
 * Where `HALYARD_TEST_NATS_URL` names a server that runs already, both are the user of that URL: users of NATS stand in the server's configuration.
 */
import type { BackendSuiteOptions, FaultProxy } from "@halyard/testkit";
import { type Broker, findBroker, startNats } from "@halyard/testkit/brokers";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type NatsOptions, nats } from "../../src/index.ts";
import { leastPrivileges } from "./permissions.ts";

interface Account {
  readonly user?: string;
  readonly password?: string;
}

const found = findBroker("nats");
const given = found !== undefined && "url" in found ? new URL(found.url) : undefined;
const ownBus = { user: "bus", password: "bus-password-7d1e" };
const ownRoot = { user: "root", password: "root-password-91ac" };
const bus: Account = given === undefined ? ownBus : accountOf(given);
const root: Account = given === undefined ? ownRoot : bus;

function accountOf({ username, password }: URL): Account {
  return username === "" ? {} : { user: decodeURIComponent(username), password: decodeURIComponent(password) };
}

export interface Served extends BackendSuiteOptions {
  broker(): Broker;
  root(): Promise<NatsConnection>;
}

/** `extra`: options of the backend under test. `isProxied`: the kit puts a fault proxy before each bus. */
export function served(extra: NatsOptions = {}, { isProxied = false } = {}): Served {
  let broker: Broker | undefined;
  let connection: NatsConnection | undefined;
  const running = (): Broker => {
    if (broker === undefined) throw new Error("the server does not run");
    return broker;
  };
  const client = (proxy: FaultProxy | undefined, account: Account = bus) =>
    nats({
      url: proxy === undefined ? `nats://${running().host}:${running().port}` : `nats://127.0.0.1:${proxy.port}`,
      ...account,
      inboxPrefix: "_INBOX_kit",
      names: { subjectPrefix: "kit" },
      ackWaitMs: 3_000,
      confirmTimeoutMs: 1_000,
      requestTimeoutMs: 2_000,
      pingIntervalMs: 300,
      ...extra,
    });
  const rootConnection = async (): Promise<NatsConnection> => {
    if (connection === undefined || connection.isClosed()) {
      connection = await connect({
        servers: `${running().host}:${running().port}`,
        ...(root.user === undefined || root.password === undefined ? {} : { user: root.user, pass: root.password }),
        reconnect: false,
      });
    }
    return connection;
  };
  return {
    broker: running,
    root: rootConnection,
    create: ({ proxy }) => client(proxy),
    ...(isProxied ? { target: () => ({ host: running().host, port: running().port }) } : {}),
    ...(bus.user === undefined ? {} : { wrongCredentials: ({ proxy }) => client(proxy, { ...bus, password: "not-the-password" }) }),
    secrets: ["not-the-password", ...(bus.password === undefined || bus.password.length < 6 ? [] : [bus.password])],
    ...(given === undefined ? { restartBroker: () => running().restart() } : {}),
    async destroyGroup({ namespace }, group) {
      const manager = await jetstreamManager(await rootConnection());
      for (const stream of [namespace, `${namespace}_inbox`]) await manager.consumers.delete(stream, group).catch(() => false);
    },
    async sweep({ namespace }) {
      const manager = await jetstreamManager(await rootConnection());
      for (const stream of [namespace, `${namespace}_inbox`, `${namespace}_dead`]) await manager.streams.delete(stream).catch(() => false);
    },
    async setup() {
      if (given === undefined) {
        broker = await startNats({ users: [{ ...ownBus, permissions: leastPrivileges("kit", "_INBOX_kit") }, ownRoot], isOwned: true });
        return;
      }
      broker = await startNats();
      console.warn(
        "\n!!! The suite runs as the user of HALYARD_TEST_NATS_URL, not as one with least privileges: NATS takes users from its configuration only.\n",
      );
    },
    async teardown() {
      await connection?.close();
      await broker?.stop();
    },
  };
}
