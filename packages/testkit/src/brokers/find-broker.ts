/** Where a broker comes from: one that runs already, by environment variable, or a program on this machine. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { HalyardError } from "@halyard/core/spi";
import type { BrokerKind } from "./broker.ts";

/** A running broker to use, or a program to start. */
export type FoundBroker = { readonly url: string } | { readonly program: string };

interface Source {
  readonly variable: string;
  readonly program: string;
  readonly debian: string;
}

const sources: Readonly<Record<BrokerKind, Source>> = {
  redis: { variable: "HALYARD_TEST_REDIS_URL", program: "redis-server", debian: "redis-server" },
  nats: { variable: "HALYARD_TEST_NATS_URL", program: "nats-server", debian: "nats-server" },
  rabbitmq: { variable: "HALYARD_TEST_AMQP_URL", program: "rabbitmq-server", debian: "rabbitmq-server" },
};

/** Debian's /usr/sbin/rabbitmq-server changes user and directory; the script itself lies in the first of these, and does what it is told. */
const foldersFirst: Readonly<Record<BrokerKind, readonly string[]>> = {
  redis: [],
  nats: [],
  rabbitmq: ["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin", "/opt/homebrew/opt/rabbitmq/sbin"],
};
const foldersLast: readonly string[] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/opt/homebrew/bin"];

/** What there is of this broker: `HALYARD_TEST_REDIS_URL`, `HALYARD_TEST_NATS_URL` or `HALYARD_TEST_AMQP_URL`, else the program on this machine. */
export function findBroker(kind: BrokerKind): FoundBroker | undefined {
  const url = process.env[sources[kind].variable];
  if (url !== undefined && url !== "") return { url };
  const program = findProgram(kind);
  return program === undefined ? undefined : { program };
}

/** As `findBroker`; throws CONNECT_FAILED with what to install or start where there is none. */
export function requireBroker(kind: BrokerKind): FoundBroker {
  const found = findBroker(kind);
  if (found !== undefined) return found;
  throw new HalyardError("CONNECT_FAILED", howToGet(kind));
}

/** Only a program: for what must be killed, or configured. A broker that runs already does not serve for that, and the error says so. */
export function requireProgram(kind: BrokerKind): string {
  const program = findProgram(kind);
  if (program !== undefined) return program;
  const { variable } = sources[kind];
  const isGiven = (process.env[variable] ?? "") !== "";
  throw new HalyardError(
    "CONNECT_FAILED",
    isGiven ? `The broker of ${variable} may not be killed or configured, and that is needed here. ${howToInstall(kind)}.` : howToGet(kind),
  );
}

/** A program that comes beside the broker's own, e.g. `redis-cli`. */
export function besideBroker(kind: BrokerKind, name: string): string {
  return findExecutable(name, foldersFirst[kind]) ?? name;
}

function findProgram(kind: BrokerKind): string | undefined {
  return findExecutable(sources[kind].program, foldersFirst[kind]);
}

function findExecutable(name: string, first: readonly string[]): string | undefined {
  const folders = [...first, ...(process.env.PATH ?? "").split(delimiter), ...foldersLast];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // that is the question
  }
}

function howToGet(kind: BrokerKind): string {
  return `${howToInstall(kind)}, or start one (docker compose up -d) and set ${sources[kind].variable} to its URL.`;
}

function howToInstall(kind: BrokerKind): string {
  const { program, debian } = sources[kind];
  return `${program} is not on this machine. Install it (Debian, Ubuntu: apt-get install ${debian})`;
}
