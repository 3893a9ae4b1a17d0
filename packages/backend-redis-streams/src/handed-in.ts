/** What a client of the user's says about connections. It is read, never used itself. */
import { invalidOption } from "@halyard/core/spi";
import type { Cluster, NatMap, Redis } from "ioredis";
import { type ConnectionPlan, planOfMaster, planOfNodes, portDefault, type RedisAddress, sentinelPortDefault } from "./plan.ts";

/** @throws INVALID_OPTIONS where the client would encrypt some of its connections only, which nobody means. */
export function planOfClient(client: Redis | Cluster): ConnectionPlan {
  return "nodes" in client ? planOfCluster(client) : planOfRedis(client);
}

/** A cluster client is asked for its nodes, since this backend follows the namespace's slot by itself. */
function planOfCluster(client: Cluster): ConnectionPlan {
  const nodes = client.nodes("all").map(({ options }) => options);
  const [first] = nodes;
  if (first === undefined) throw invalidOption("client", "is a cluster that knows no node yet: wait until it is ready");
  // ioredis takes TLS beside an address for that node alone, and speaks to those it finds by itself in clear.
  if (nodes.some(({ tls }) => !tls !== !first.tls)) throw invalidOption("client", "speaks TLS to some nodes of its cluster only: give tls in its redisOptions");
  return planOfNodes(first, nodes.map(addressOf), natMapOf(client.options.natMap));
}

function planOfRedis({ options }: Redis): ConnectionPlan {
  const { sentinels, name, sentinelUsername, sentinelPassword, sentinelTLS, enableTLSForSentinelMode: hasTls = false, natMap, ...base } = options;
  if (sentinels == null) return planOfNodes(base, [addressOf(base)]);
  if (!base.tls !== !hasTls) throw invalidOption("client", "speaks to the master in clear: with sentinels it needs both tls and enableTLSForSentinelMode");
  const plan = {
    name: name ?? "",
    sentinels: sentinels.map((one) => ({ ...one, ...addressOf(one, sentinelPortDefault) })),
    base: {
      ...(base.family === undefined ? {} : { family: base.family }),
      ...(sentinelUsername == null ? {} : { username: sentinelUsername }),
      ...(sentinelPassword == null ? {} : { password: sentinelPassword }),
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
    },
  };
  return planOfMaster(base, plan, natMapOf(natMap));
}

function addressOf({ host, port }: { readonly host?: string | undefined; readonly port?: number | undefined }, otherwise = portDefault): RedisAddress {
  return { host: host ?? "127.0.0.1", port: port ?? otherwise };
}

function natMapOf(natMap: NatMap | null | undefined): ((address: RedisAddress) => RedisAddress) | undefined {
  if (natMap == null) return undefined;
  return (address) => {
    const key = `${address.host}:${address.port}`;
    return (typeof natMap === "function" ? natMap(key) : natMap[key]) ?? address;
  };
}
