/** An authority of one day, and certificates of it for a broker and a client on the loopback address. Made by `openssl`: Node can read but not sign them. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { HalyardError } from "@halyard/core/spi";
import type { BrokerTls } from "./broker.ts";

export interface Certificates extends BrokerTls {
  /** The same, as the broker's configuration names them. */
  readonly files: { readonly ca: string; readonly serverCertificate: string; readonly serverKey: string };
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
