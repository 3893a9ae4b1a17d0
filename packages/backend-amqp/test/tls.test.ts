/** The broker's certificate is verified, and ours is shown where the broker asks for it. */
import assert from "node:assert/strict";
import { type ClientTls, type Host, isHalyardError, type Session, systemClock } from "@halyard/core/spi";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { afterAll, beforeAll, describe, it } from "vitest";
import { amqp } from "../src/index.ts";

const host: Host = { namespace: "kit-tls", clientName: "tls", clock: systemClock, random: Math.random, report: () => undefined };
let broker: RabbitmqBroker;

beforeAll(async () => {
  broker = await startRabbitmq({
    tls: true,
    mutualTls: true,
    plugins: ["rabbitmq_auth_mechanism_ssl"],
    config: ["auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = EXTERNAL", "ssl_cert_login_from = common_name"],
  });
}, 90_000);
afterAll(async () => broker?.stop());

const open = (tls: ClientTls): Promise<Session> => amqp({ url: broker.url, tls, connectTimeoutMs: 5_000 }).connect(host, new AbortController().signal);

describe("TLS to RabbitMQ", () => {
  it("is refused where the authority is not ours, with a hint", async () => {
    await assert.rejects(open({}), (error) => isHalyardError(error, "TLS_FAILED") && /tls\.ca/.test(error.message) && !error.retryable);
  });

  it("works with the authority and our own certificate", async () => {
    assert.ok(broker.tls);
    const session = await open({ ca: broker.tls.ca, cert: broker.tls.clientCertificate, key: broker.tls.clientKey });
    await session.admin.ping(new AbortController().signal);
    await session.close();
  });

  it("is refused where the broker asks for a certificate and we have none", async () => {
    assert.ok(broker.tls);
    const opening = open({ ca: broker.tls.ca });
    await assert.rejects(opening, (error) => isHalyardError(error) && ["TLS_FAILED", "CONNECT_FAILED"].includes(error.code));
  });

  it("signs in with the certificate, without a password, where the user has its name", async () => {
    assert.ok(broker.tls);
    const { ca, clientCertificate: cert, clientKey: key } = broker.tls;
    const place = { host: broker.host, port: broker.port, tls: { ca, cert, key }, authMechanism: "external" } as const;
    await assert.rejects(
      amqp(place).connect(host, new AbortController().signal),
      (error) => isHalyardError(error, "AUTH_FAILED") && /certificate/.test(error.message),
    );
    await broker.createUser({ name: "halyard-client", password: "not used" });
    const session = await amqp(place).connect(host, new AbortController().signal);
    await session.admin.ping(new AbortController().signal);
    await session.close();
  });

  it("cannot be spoken to a port that does not expect it", async () => {
    assert.ok(broker.tls);
    const plain = amqp({ host: broker.host, port: broker.port, user: broker.user, password: broker.password, connectTimeoutMs: 3_000 });
    await assert.rejects(plain.connect(host, new AbortController().signal), (error) => isHalyardError(error) && !error.message.includes(broker.password));
  });
});
