/** A NATS server of its own for one suite. The bus signs in as a user with exactly the permissions that the README lists; the tests' own user may do all. */
import type { BackendSuiteOptions } from "@halyard/testkit";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type NatsOptions, nats } from "../../src/index.ts";
import { leastPrivileges } from "./permissions.ts";

const bus = { user: "bus", password: "bus-password-7d1e" };
const root = { user: "root", password: "root-password-91ac" };

export interface Served extends BackendSuiteOptions {
  broker(): Broker;
  root(): Promise<NatsConnection>;
}

/** `extra`: options of the backend under test. */
export function served(extra: NatsOptions = {}): Served {
  let broker: Broker | undefined;
  let connection: NatsConnection | undefined;
  const running = (): Broker => {
    if (broker === undefined) throw new Error("the server does not run");
    return broker;
  };
  const client = (port: number, password: string) =>
    nats({
      url: `nats://127.0.0.1:${port}`,
      user: bus.user,
      password,
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
      connection = await connect({ servers: `127.0.0.1:${running().port}`, user: root.user, pass: root.password, reconnect: false });
    }
    return connection;
  };
  return {
    broker: running,
    root: rootConnection,
    create: ({ proxy }) => client(proxy?.port ?? running().port, bus.password),
    target: () => ({ port: running().port }),
    wrongCredentials: ({ proxy }) => client(proxy?.port ?? running().port, "not-the-password"),
    secrets: [bus.password, "not-the-password"],
    restartBroker: () => running().restart(),
    async destroyGroup({ namespace }, group) {
      const manager = await jetstreamManager(await rootConnection());
      for (const stream of [namespace, `${namespace}_inbox`]) await manager.consumers.delete(stream, group).catch(() => false);
    },
    async sweep({ namespace }) {
      const manager = await jetstreamManager(await rootConnection());
      for (const stream of [namespace, `${namespace}_inbox`, `${namespace}_dead`]) await manager.streams.delete(stream).catch(() => false);
    },
    async setup() {
      broker = await startNats({ users: [{ ...bus, permissions: leastPrivileges("kit", "_INBOX_kit") }, root], isOwned: true });
    },
    async teardown() {
      await connection?.close();
      await broker?.stop();
    },
  };
}
