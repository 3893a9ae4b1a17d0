/** An authority of one day, and certificates of it for a broker and a client on the loopback address. Made by `openssl`: Node can read but not sign them. */
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { HalyardError } from "@halyard/core/spi";
import type { BrokerTls } from "./broker.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface Certificates extends BrokerTls {
  /** The same, as the broker's configuration names them. */
  readonly files: { readonly ca: string; readonly serverCertificate: string; readonly serverKey: string };
}

/** Of one authority for several brokers: texts, since each broker's directory goes with it. */
export interface SharedCertificates extends BrokerTls {
  readonly serverCertificate: string;
  readonly serverKey: string;
}

const run = promisify(execFile);

/** Elliptic keys: made in milliseconds, unlike RSA. */
const keyOptions = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Writes them into `directory`. Rejects with UNSUPPORTED where there is no `openssl`. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const path = (name: string): string => join(directory, name);
  await writeFile(path("extensions.cnf"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const openssl = async (...args: string[]): Promise<void> => {
    try {
      await run("openssl", args, { cwd: directory });
    } catch (error) {
      throw new HalyardError("UNSUPPORTED", "Certificates for a broker with TLS could not be made: it needs the program openssl.", { cause: error });
    }
  };
  await openssl("req", "-x509", ...keyOptions, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=halyard-test-ca");
  for (const name of ["server", "client"]) {
    await openssl("req", ...keyOptions, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name === "server" ? "localhost" : "halyard-client"}`);
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "extensions.cnf"];
    await openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signed);
  }
  const [ca, clientCertificate, clientKey] = await Promise.all(["ca.pem", "client.pem", "client.key"].map((name) => readFile(path(name), "utf8")));
  if (ca === undefined || clientCertificate === undefined || clientKey === undefined) throw new Error("three files were read");
  return { ca, clientCertificate, clientKey, files: { ca: path("ca.pem"), serverCertificate: path("server.pem"), serverKey: path("server.key") } };
}

/** For brokers that must trust each other. */
export async function makeSharedCertificates(): Promise<SharedCertificates> {
  const directory = await temporaryDirectory("certificates");
  try {
    const { ca, clientCertificate, clientKey, files } = await makeCertificates(directory);
    const [serverCertificate, serverKey] = await Promise.all([readFile(files.serverCertificate, "utf8"), readFile(files.serverKey, "utf8")]);
    return { ca, clientCertificate, clientKey, serverCertificate, serverKey };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Writes what several brokers share into the directory of one of them. */
export async function placeCertificates(directory: string, { serverCertificate, serverKey, ...tls }: SharedCertificates): Promise<Certificates> {
  const files = { ca: join(directory, "ca.pem"), serverCertificate: join(directory, "server.pem"), serverKey: join(directory, "server.key") };
  await writeFile(files.ca, tls.ca);
  await writeFile(files.serverCertificate, serverCertificate);
  await writeFile(files.serverKey, serverKey, { mode: 0o600 });
  return { ...tls, files };
}
