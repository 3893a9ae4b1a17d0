import { isHalyardError } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { nats } from "../src/index.ts";
import { topologyOf } from "../src/names.ts";
import { type NatsOptions, settingsOf } from "../src/options.ts";

const nothing = (): void => undefined;
const connection = {
  publish: nothing,
  subscribe: nothing,
  request: nothing,
  flush: nothing,
  closed: nothing,
  isClosed: nothing,
  isDraining: nothing,
  status: nothing,
};
const isInvalid = (error: unknown): boolean => isHalyardError(error, "INVALID_OPTIONS");

function refusal(options: unknown): unknown {
  try {
    nats(options as NatsOptions);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("options", () => {
  it("have defaults for everything", () => {
    const { servers, ackWaitMs, stream, inboxPrefix } = settingsOf({});
    expect({ servers, ackWaitMs, stream, inboxPrefix }).toEqual({
      servers: ["nats://127.0.0.1:4222"],
      ackWaitMs: 30_000,
      stream: { retention: "handled", storage: "file", replicas: 1 },
      inboxPrefix: "_INBOX",
    });
  });

  it("take credentials out of the URL, so that nothing that names a server shows them", () => {
    const { servers, user, password, where, token } = settingsOf("nats://me:p%40ss@one:4223,two");
    expect({ servers, user, password, where, token }).toEqual({
      servers: ["nats://one:4223", "nats://two:4222"],
      user: "me",
      password: "p@ss",
      where: "one:4223, two:4222",
      token: undefined,
    });
    expect(settingsOf("nats://secret@one").token).toBe("secret");
    expect(settingsOf({ url: "nats://me@one", user: "me", password: "p" })).toMatchObject({ user: "me", password: "p", token: undefined });
    expect(settingsOf("[::1]:4224").servers).toEqual(["nats://[::1]:4224"]);
  });

  it("ask for TLS where the address says so", () => {
    expect(settingsOf("tls://one").tls).toEqual({});
    expect(settingsOf("nats://one").tls).toBeUndefined();
  });

  it("are refused at the call where they make no sense, without showing what is secret", () => {
    const wrong: unknown[] = [
      { uri: "nats://one" },
      { url: "http://one" },
      { url: "nats://me:secret word@one\r\nPUB x" },
      { servers: [] },
      { url: "nats://one", servers: ["nats://two"] },
      { nkey: "SUsecret" },
      { credentials: "/path/secret.creds" },
      { ackWaitMs: 0 },
      { ackWaitMs: "30" },
      { dedupMs: -1 },
      { stream: { retention: "workqueue" } },
      { stream: { maxAgeMs: 1_000 } },
      { stream: { replicas: 7 } },
      { stream: { max_age: 1 } },
      { tls: { rejectUnauthorized: false } },
      { inboxPrefix: "a.>" },
      { names: { stream: "shop" } },
      { domain: "a.b" },
      { url: "nats://u:%zz@secret" },
      { url: "nats://one/secret" },
      { url: "nats://one?secret=1" },
      { url: "nats://me:secret@one", user: "you" },
      { user: "me", token: "secret" },
      { password: "secret" },
      { user: 7 },
      { tls: 1 },
      { url: "tls://one", tls: false },
      { connection: {} },
      { connection, user: "secret" },
      { connection, url: "nats://one" },
      { connection, pingIntervalMs: 1_000 },
      { names: { subjectPrefix: "a.b" } },
      { authenticator: [] },
      { connectTimeout: 1_000 },
      null,
      7,
    ];
    for (const options of wrong) {
      const error = refusal(options);
      expect(isInvalid(error), `${JSON.stringify(options)}: ${String(error)}`).toBe(true);
      expect(String(error)).not.toMatch(/secret/);
    }
  });
});

describe("names", () => {
  it("lie apart for two namespaces, and topics apart from inboxes and letters", () => {
    const { stream, inbox, dead, topicPrefix, inboxPrefix, deadPrefix } = topologyOf("shop");
    expect([stream, inbox, dead, topicPrefix, inboxPrefix, deadPrefix]).toEqual(["shop", "shop_inbox", "shop_dead", "shop.", "shop_inbox.", "shop_dead."]);
    expect(() => topologyOf("shop_inbox")).toThrow(expect.objectContaining({ code: "INVALID_NAMESPACE" }));
  });

  it("can be others, and are checked before use", () => {
    expect(topologyOf("shop", { stream: (namespace) => `EV_${namespace}`, subjectPrefix: "org" }).topicPrefix).toBe("org.EV_shop.");
    for (const names of [{ stream: () => "a.b" }, { inbox: () => "" }, { dead: () => "shop" }, { stream: () => "x\r\n" }])
      expect(() => topologyOf("shop", names)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  });
});
