/** What the server says about itself: what it promises, and what it should be told. */

export interface ServerFacts {
  readonly version: string;
  readonly isMaster: boolean;
  readonly replicas: number;
  readonly hasAppendOnlyFile: boolean;
  /** Undefined where `CONFIG GET` is not allowed. */
  readonly appendfsync: string | undefined;
  readonly maxmemoryPolicy: string;
  /** Undefined where `CONFIG GET` is not allowed. */
  readonly minReplicasToWrite: number | undefined;
}

type Ask = (name: string, ...args: readonly string[]) => Promise<unknown>;

/** `INFO` is needed; `CONFIG GET` is asked and may be refused. */
export async function askFacts(ask: Ask): Promise<ServerFacts> {
  const info = readInfo(String(await ask("INFO")));
  const config = await ask("CONFIG", "GET", "appendfsync").then(
    async (first) => new Map([...pairsOf(first), ...pairsOf(await ask("CONFIG", "GET", "min-replicas-to-write"))]),
    () => new Map<string, string>(), // many services forbid it; INFO says most
  );
  const minReplicas = config.get("min-replicas-to-write");
  return {
    version: info.get("redis_version") ?? "0.0.0",
    isMaster: info.get("role") !== "slave",
    replicas: Number(info.get("connected_slaves") ?? 0),
    hasAppendOnlyFile: info.get("aof_enabled") === "1",
    appendfsync: config.get("appendfsync"),
    maxmemoryPolicy: info.get("maxmemory_policy") ?? "unknown",
    minReplicasToWrite: minReplicas === undefined ? undefined : Number(minReplicas),
  };
}

/** `name:value` lines. */
export function readInfo(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0 && !line.startsWith("#")) found.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return found;
}

function pairsOf(reply: unknown): readonly (readonly [string, string])[] {
  return Array.isArray(reply) && reply.length >= 2 ? [[String(reply[0]), String(reply[1])]] : [];
}

/** Settings that endanger the promises, each a sentence that says what to change. */
export function warningsOf(facts: ServerFacts): readonly string[] {
  const found: string[] = [];
  if (facts.maxmemoryPolicy !== "noeviction")
    found.push(`maxmemory-policy is ${facts.maxmemoryPolicy}: when memory is full, Redis deletes messages. Set it to noeviction.`);
  if (!facts.hasAppendOnlyFile) found.push("appendonly is off: accepted messages do not survive the death of Redis. Set appendonly yes.");
  else if (facts.appendfsync !== undefined && facts.appendfsync !== "always")
    found.push(`appendfsync is ${facts.appendfsync}: a loss of power takes what was accepted last. Set it to always where that matters.`);
  if (facts.replicas > 0 && facts.minReplicasToWrite === 0)
    found.push(
      "Redis has replicas and min-replicas-to-write is 0: a master that is cut off goes on accepting messages that a failover throws away. Set min-replicas-to-write 1 and min-replicas-max-lag 2.",
    );
  if (facts.replicas > 0 && facts.minReplicasToWrite === undefined)
    found.push("Redis has replicas, and this user may not read min-replicas-to-write: make sure that it is 1 or more.");
  return found;
}
