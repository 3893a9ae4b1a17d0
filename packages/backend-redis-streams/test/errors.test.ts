import { expect, it } from "vitest";
import { fromConnecting, fromRedis, isNoGroup, isNoScript, movedTo } from "../src/errors.ts";

it.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", "BACKPRESSURE"],
  ["OOM command not allowed when used memory > 'maxmemory'. script: 5f, on @user_script:3.", "BACKPRESSURE"],
  ["ERR Error running script (call to f_5f): @user_script:3: @user_script: 3: -OOM command not allowed", "BACKPRESSURE"],
  ["NOREPLICAS Not enough good replicas to write.", "BACKPRESSURE"],
  ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist on disk.", "BACKPRESSURE"],
  ["BUSY Redis is busy running a script.", "BACKPRESSURE"],
  ["READONLY You can't write against a read only replica. script: 5f, on @user_script:3.", "CONNECTION_LOST"],
  ["LOADING Redis is loading the dataset in memory", "CONNECTION_LOST"],
  ["CLUSTERDOWN The cluster is down", "CONNECTION_LOST"],
  ["MOVED 3999 127.0.0.1:6381", "CONNECTION_LOST"],
  ["Command timed out", "CONNECTION_LOST"],
  ["Connection is closed.", "CONNECTION_LOST"],
  ["WRONGPASS invalid username-password pair or user is disabled.", "AUTH_FAILED"],
  ["NOAUTH Authentication required.", "AUTH_FAILED"],
  ["NOPERM this user has no permissions to run the 'xadd' command", "NOT_AUTHORIZED"],
  ["ERR The user executing the script can't run this command or subcommand script: 1a2b, on @user_script:3.", "NOT_AUTHORIZED"],
  ["WRONGTYPE Operation against a key holding the wrong kind of value", "BACKEND_FAILED"],
])("takes %s for %s", (text, code) => {
  expect(fromRedis(new Error(text)).code).toBe(code);
});

it("keeps the native error as the cause, without the command that failed", () => {
  const native = Object.assign(new Error("WRONGPASS no"), { command: { name: "auth", args: ["user", "hidden-word"] } });
  const { cause } = fromRedis(native);
  expect(cause).toBeInstanceOf(Error);
  expect(JSON.stringify([cause, Object.keys(cause as object)])).not.toContain("hidden-word");
});

it("tells apart why a connection was not made", () => {
  const errno = (code: string, text = code) => Object.assign(new Error(text), { code });
  expect(fromConnecting(errno("ECONNREFUSED"), "here").code).toBe("CONNECT_FAILED");
  expect(fromConnecting(errno("DEPTH_ZERO_SELF_SIGNED_CERT"), "here").code).toBe("TLS_FAILED");
  expect(fromConnecting(new Error("WRONGPASS no"), "here").code).toBe("AUTH_FAILED");
  expect(fromConnecting(new Error("LOADING Redis is loading"), "here").code).toBe("CONNECT_FAILED");
});

it("finds where the slot is", () => {
  expect(movedTo(new Error("MOVED 3999 10.0.0.1:6381"))).toEqual({ host: "10.0.0.1", port: 6381 });
  expect(movedTo(new Error("MOVED 3999 :6381"))).toEqual({ host: undefined, port: 6381 });
  expect(movedTo(new Error("MOVED 3999 fe80::1:6381"))).toEqual({ host: "fe80::1", port: 6381 });
  expect(movedTo(new Error("ERR no"))).toBeUndefined();
});

it("knows a missing group and a missing script", () => {
  expect(isNoGroup(new Error("NOGROUP No such key 'x' or consumer group"))).toBe(true);
  expect(isNoGroup(new Error("UNBLOCKED the stream key no longer exists"))).toBe(true);
  expect(isNoScript(new Error("NOSCRIPT No matching script."))).toBe(true);
});
