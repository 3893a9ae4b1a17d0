/** How a connection is made: what options and clients that were handed in come down to. */
import type { RedisOptions } from "ioredis";

/** Where one Redis server listens. */
export interface RedisAddress {
  readonly host: string;
  /** Default 6379. */
  readonly port?: number;
}

/** How to reach the server: what ioredis is told, and where it may be. */
export interface ConnectionPlan {
  /** Credentials, database and TLS of every connection to a node, however its address became known. */
  readonly base: RedisOptions;
  /** Addresses tried in turn: the only one, or some nodes of a cluster. None with sentinels. */
  readonly seeds: readonly RedisAddress[];
  readonly sentinel?: SentinelPlan;
  /** The address by which we reach what a sentinel or a node of the cluster names: the same, unless a client that was handed in says otherwise. */
  readonly natMap: (address: RedisAddress) => RedisAddress;
  /** For errors: the address without credentials. */
  readonly where: string;
}

export interface SentinelPlan {
  readonly name: string;
  readonly sentinels: readonly RedisAddress[];
  /** Credentials and TLS of connections to sentinels. */
  readonly base: RedisOptions;
}

export const portDefault = 6379;
export const sentinelPortDefault = 26_379;

/** An address that needs no translation. */
const asItIs = (address: RedisAddress): RedisAddress => address;

/** One server, or some nodes of a cluster. */
export function planOfNodes(base: RedisOptions, given: readonly RedisAddress[], natMap = asItIs): ConnectionPlan {
  const seeds = given.map((one) => ({ port: portDefault, ...one }));
  return { base, seeds, natMap, where: seeds.map(nameOf).join(", ") };
}

export function planOfMaster(base: RedisOptions, sentinel: SentinelPlan, natMap = asItIs): ConnectionPlan {
  return { base, seeds: [], sentinel, natMap, where: `${sentinel.name} of the sentinels ${sentinel.sentinels.map(nameOf).join(", ")}` };
}

export const nameOf = ({ host, port = portDefault }: RedisAddress): string => `${host}:${port}`;
