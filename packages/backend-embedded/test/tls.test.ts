import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { embedded } from "../src/embedded.ts";
import { never, testHost, wire } from "./support/host.ts";
import { temporaryDirectory, testServer, testSession } from "./support/servers.ts";

const program = "openssl";
const hasOpenssl = spawnSync(program, ["version"]).status === 0;
if (!hasOpenssl) console.warn("SKIPPED: the TLS tests of the embedded backend need the program openssl, which is not installed.");

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

function openssl(directory: string, ...parameters: string[]): void {
  const result = spawnSync(program, parameters, { cwd: directory, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`openssl ${parameters.join(" ")}: ${result.stderr}`);
}

/** An authority with one certificate for 127.0.0.1 and one for clients. */
function authority(directory: string, name: string): { readonly ca: Buffer; readonly server: Certificate; readonly client: Certificate } {
  const file = (suffix: string): string => `${name}${suffix}`;
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(directory, "req", "-x509", ...curve, "-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", `/CN=${name}`, "-days", "2");
  const issue = (kind: string): Certificate => {
    const [key, request, cert, extensions] = [".key", ".csr", ".pem", ".ext"].map((suffix) => file(kind + suffix)) as [string, string, string, string];
    writeFileSync(join(directory, extensions), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    openssl(directory, "req", ...curve, "-keyout", key, "-out", request, "-subj", `/CN=${kind}`);
    const sign = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", extensions];
    openssl(directory, "x509", "-req", "-in", request, "-out", cert, ...sign);
    return { cert: readFileSync(join(directory, cert)), key: readFileSync(join(directory, key)) };
  };
  return { ca: readFileSync(join(directory, file("ca.pem"))), server: issue("server"), client: issue("client") };
}

describe.skipIf(!hasOpenssl)("TLS", () => {
  let ours: ReturnType<typeof authority>;
  let foreign: ReturnType<typeof authority>;

  beforeAll(async () => {
    const directory = await temporaryDirectory();
    ours = authority(directory, "ours");
    foreign = authority(directory, "foreign");
  });

  test("carries a session where the authority is known", async () => {
    const { port } = await testServer({ tls: ours.server });
    const session = await testSession(port, { tls: { ca: ours.ca } });
    expect(await session.publish([wire()], { signal: never })).toBeUndefined();
  });

  test("fails with TLS_FAILED, not worth retrying, where the server's authority is not known", async () => {
    const { port } = await testServer({ tls: ours.server });
    for (const tls of [{}, { ca: foreign.ca }]) {
      await expect(embedded({ port, tls, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ code: "TLS_FAILED", retryable: false });
    }
  });

  test("fails where the certificate is for another name", async () => {
    const { port } = await testServer({ tls: ours.server });
    const connecting = embedded({ port, tls: { ca: ours.ca, servername: "elsewhere.test" }, autoStart: false }).connect(testHost(), never);
    await expect(connecting).rejects.toMatchObject({ code: "TLS_FAILED" });
  });

  test("with an authority for clients lets in who shows a certificate of it, and nobody else", async () => {
    const { port } = await testServer({ tls: { ...ours.server, ca: ours.ca } });
    await testSession(port, { tls: { ca: ours.ca, ...ours.client } });
    for (const shown of [{}, foreign.client]) {
      const connecting = embedded({ port, tls: { ca: ours.ca, ...shown }, autoStart: false }).connect(testHost(), never);
      await expect(connecting).rejects.toMatchObject({ code: "TLS_FAILED", retryable: false });
    }
    await testSession(port, { tls: { ca: ours.ca, ...ours.client } });
  });

  test("and a token are both asked for where both are set", async () => {
    const { port } = await testServer({ tls: ours.server, token: "right" });
    await testSession(port, { tls: { ca: ours.ca }, token: "right" });
    await expect(embedded({ port, tls: { ca: ours.ca }, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ code: "AUTH_FAILED" });
  });

  test("a client without TLS gets nowhere, and the server goes on", async () => {
    const { port } = await testServer({ tls: ours.server });
    await expect(embedded({ port, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ retryable: true });
    await testSession(port, { tls: { ca: ours.ca } });
  });
});
