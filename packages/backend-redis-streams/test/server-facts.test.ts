import { expect, it } from "vitest";
import { askFacts, type ServerFacts, warningsOf } from "../src/server-facts.ts";

const info =
  "# Server\r\nredis_version:7.0.15\r\n# Replication\r\nrole:master\r\nconnected_slaves:1\r\n# Persistence\r\naof_enabled:1\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
const fit: ServerFacts = {
  version: "7.0.15",
  isMaster: true,
  replicas: 1,
  hasAppendOnlyFile: true,
  appendfsync: "always",
  maxmemoryPolicy: "noeviction",
  minReplicasToWrite: 1,
};

it("reads what the server says, and knows what it may not ask", async () => {
  const config: Readonly<Record<string, string>> = { appendfsync: "always", "min-replicas-to-write": "1" };
  expect(await askFacts(async (name, ...args) => (name === "INFO" ? info : [args[1], config[args[1] ?? ""]]))).toEqual(fit);
  const shy = await askFacts(async (name) => {
    if (name === "CONFIG") throw new Error("NOPERM");
    return info;
  });
  expect(shy).toEqual({ ...fit, appendfsync: undefined, minReplicasToWrite: undefined });
});

it("warns of each setting that endangers a promise, and of nothing else", () => {
  expect(warningsOf(fit)).toEqual([]);
  expect(warningsOf({ ...fit, maxmemoryPolicy: "allkeys-lru" })).toEqual([expect.stringContaining("noeviction")]);
  expect(warningsOf({ ...fit, hasAppendOnlyFile: false })).toEqual([expect.stringContaining("appendonly yes")]);
  expect(warningsOf({ ...fit, appendfsync: "everysec" })).toEqual([expect.stringContaining("always")]);
  expect(warningsOf({ ...fit, minReplicasToWrite: 0 })).toEqual([expect.stringContaining("min-replicas-to-write 1")]);
  expect(warningsOf({ ...fit, minReplicasToWrite: undefined })).toHaveLength(1);
  expect(warningsOf({ ...fit, replicas: 0, minReplicasToWrite: 0 })).toEqual([]);
});
