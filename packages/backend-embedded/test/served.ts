/** A server of its own for one suite, with short heartbeats, so that a silent connection is noticed within the time that a case has. */
import type { BackendSuiteOptions } from "@halyard/testkit";
import { type EmbeddedServer, embedded, startEmbeddedServer } from "../src/index.ts";

const token = "conformance-token-5f2c";

/** `isProxied`: the kit puts a fault proxy before each bus. */
export function served({ isProxied = false } = {}): BackendSuiteOptions {
  let server: EmbeddedServer | undefined;
  const port = (): number => {
    if (server?.address === undefined) throw new Error("the server does not listen");
    return server.address.port;
  };
  const client = (to: number, secret: string) => embedded({ port: to, token: secret, autoStart: false, heartbeatMs: 500 });
  return {
    create: ({ proxy }) => client(proxy?.port ?? port(), token),
    ...(isProxied ? { target: () => ({ port: port() }) } : {}),
    wrongCredentials: ({ proxy }) => client(proxy?.port ?? port(), "not-the-token"),
    secrets: [token, "not-the-token"],
    setup: async () => {
      server = await startEmbeddedServer({ port: 0, token });
    },
    teardown: async () => server?.close(),
  };
}
