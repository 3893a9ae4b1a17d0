#!/usr/bin/env node
/** The server as a program: started by hand with flags, or by a client that found none (`--from-environment`). */
import { readFileSync } from "node:fs";
import process from "node:process";
import { type MemoryBackend, type MemoryOptions, memory } from "@halyard/backend-memory";
import { HalyardError, isHalyardError, systemClock } from "@halyard/core/spi";
import { optionsVariable } from "../auto-start.ts";
import { prepareUserDirectory, userSocketPath } from "../place.ts";
import { type IdlePolicy, watchIdle } from "../server/idle.ts";
import { type EmbeddedServerOptions, portDefault } from "../server/options.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../server/server.ts";
import { numbersOf, readArguments, usage } from "./arguments.ts";
import { describeHeld } from "./held.ts";

interface Plan {
  readonly server: EmbeddedServerOptions;
  readonly memory: MemoryOptions;
  readonly idle: IdlePolicy | undefined;
  /** A second place to listen: this user's own socket. */
  readonly userSocketPath: string | undefined;
  /** Whether losing against another server is what is expected of most starters. */
  readonly isAutoStarted: boolean;
}

async function main(): Promise<void> {
  const values = readArguments(process.argv.slice(2));
  if (values.help) return void process.stdout.write(usage);
  if (values.version) return void process.stdout.write(`${version()}\n`);
  const plan = values["from-environment"] ? planFromEnvironment() : planFromArguments(values);
  const backend = memory(plan.memory);
  const servers: EmbeddedServer[] = [];
  try {
    await start(plan, backend, servers);
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    if (plan.isAutoStarted && isHalyardError(error) && error.details.errno === "EADDRINUSE") return; // another starter was quicker
    throw error;
  }
  log("listening", {
    places: servers.flatMap((server) => [server.address && `${server.address.host}:${server.address.port}`, server.socketPath]).filter(Boolean),
  });
  run(plan, backend, servers);
}

async function start(plan: Plan, backend: MemoryBackend, servers: EmbeddedServer[]): Promise<void> {
  servers.push(await startEmbeddedServer({ ...plan.server, backend }));
  if (plan.userSocketPath === undefined) return;
  await prepareUserDirectory(plan.userSocketPath);
  const { token } = plan.server;
  servers.push(await startEmbeddedServer({ socketPath: plan.userSocketPath, backend, ...(token === undefined ? {} : { token }) }));
}

function run(plan: Plan, backend: MemoryBackend, servers: readonly EmbeddedServer[]): void {
  let isEnding = false;
  const end = async (reason: string): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    stopWatching();
    // First of all nobody is let in any more, in this very turn: a client that comes now finds no server and starts another, and loses nothing.
    const closed = servers.map((server) => server.close());
    const namespaces = servers.flatMap((server) => server.stats().namespaces);
    const dropped = backend.held().messages === 0 ? undefined : await describeHeld(backend, namespaces);
    log("ending", { reason, ...(dropped === undefined ? {} : { dropped }) });
    await Promise.all(closed);
    process.exit(0);
  };
  const stopWatching =
    plan.idle === undefined
      ? () => undefined
      : watchIdle({
          ...plan.idle,
          clock: systemClock,
          connections: () => servers.reduce((sum, server) => sum + server.stats().connections, 0),
          held: () => backend.held().messages,
          onIdle: () => void end("idle"),
        });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end(signal));
}

function planFromArguments(values: ReturnType<typeof readArguments>): Plan {
  const port = numbersOf(values, { port: "port" }).port;
  const token = values["token-file"] === undefined ? process.env.HALYARD_TOKEN : readFileSync(values["token-file"], "utf8").split(/\r?\n/)[0];
  const socketPath = values["socket-path"];
  const idle = numbersOf(values, { idleMs: "idle-ms", waitingIdleMs: "waiting-idle-ms" });
  const isWithTls = values["tls-cert"] !== undefined || values["tls-key"] !== undefined || values["tls-ca"] !== undefined;
  const pem = (path: string | undefined): { readonly pem?: Buffer } => (path === undefined ? {} : { pem: readFileSync(path) });
  const [cert, key, ca] = [pem(values["tls-cert"]).pem, pem(values["tls-key"]).pem, pem(values["tls-ca"]).pem];
  const hasUserSocket = !values["no-user-socket"] && socketPath === undefined && values.host === undefined && port !== 0 && process.getuid !== undefined;
  return {
    isAutoStarted: false,
    userSocketPath: hasUserSocket ? userSocketPath(port ?? portDefault) : undefined,
    idle: idle.idleMs === undefined ? undefined : { idleMs: idle.idleMs, waitingIdleMs: Math.max(idle.idleMs, idle.waitingIdleMs ?? idle.idleMs * 10) },
    server: {
      ...(port === undefined ? {} : { port }),
      ...(values.host === undefined ? {} : { host: values.host }),
      ...(socketPath === undefined ? {} : { socketPath }),
      ...(token === undefined ? {} : { token }),
      ...(isWithTls ? { tls: { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) } } : {}),
      ...numbersOf(values, {
        connectionsMax: "connections-max",
        subscriptionsMax: "subscriptions-max",
        frameBytesMax: "frame-bytes-max",
        requestsMax: "requests-max",
        requestBytesMax: "request-bytes-max",
        helloTimeoutMs: "hello-timeout-ms",
      }),
    },
    memory: memoryOf(values),
  };
}

function memoryOf(values: ReturnType<typeof readArguments>): MemoryOptions {
  const { messages, bytes } = numbersOf(values, { messages: "history-messages-max", bytes: "history-bytes-max" });
  const history =
    messages === 0 ? false : { ...(messages === undefined ? {} : { messagesMax: messages }), ...(bytes === undefined ? {} : { bytesMax: bytes }) };
  return { history, ...numbersOf(values, { messagesMax: "messages-max", bytesMax: "bytes-max", bodyBytesMax: "body-bytes-max", dedupMs: "dedup-ms" }) };
}

/** The options come from `embedded()`, which has checked them; the server checks them again. */
function planFromEnvironment(): Plan {
  const given = process.env[optionsVariable];
  delete process.env[optionsVariable];
  if (given === undefined) throw new Error(`--from-environment is for servers that a client starts: ${optionsVariable} is not set.`);
  const {
    idleMs,
    waitingIdleMs,
    memory: memoryOptions = {},
    ...server
  } = JSON.parse(given) as EmbeddedServerOptions & IdlePolicy & { readonly memory?: MemoryOptions };
  return { isAutoStarted: true, userSocketPath: undefined, idle: { idleMs, waitingIdleMs }, server, memory: memoryOptions };
}

/** One JSON object a line: names that came from clients cannot forge one. */
function log(event: string, facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ time: new Date(systemClock.nowMs()).toISOString(), pid: process.pid, event, ...facts })}\n`);
}

function version(): string {
  const { version: found } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string };
  return found;
}

main().catch((error: unknown) => {
  const text = error instanceof HalyardError || error instanceof Error ? error.message : String(error);
  process.stderr.write(`halyard-server: ${text}\nTry halyard-server --help.\n`);
  process.exit(1);
});
