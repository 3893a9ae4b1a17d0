/** Asks a NATS server whether it serves, JetStream included. */
import { type LineTls, openLine } from "./line.ts";

export interface NatsAccess {
  readonly port: number;
  /** Where `/healthz` is asked: it is ok only when JetStream has recovered all streams. */
  readonly monitorPort: number;
  readonly credentials: { readonly user?: string; readonly pass?: string; readonly auth_token?: string };
  readonly tls?: LineTls | undefined;
}

/** Resolves with the server's version. */
export async function probeNats({ port, monitorPort, credentials, tls }: NatsAccess): Promise<string> {
  const plain = await openLine(port);
  let line = plain;
  try {
    const info = await line.read((bytes) => bytes.includes("\r\n"));
    if (tls !== undefined) line = await plain.secure(tls);
    line.write(
      `CONNECT ${JSON.stringify({ verbose: false, pedantic: false, lang: "halyard-testkit", version: "0", protocol: 1, ...credentials })}\r\nPING\r\n`,
    );
    const answer = (await line.read((bytes) => /PONG\r\n|-ERR/.test(bytes.toString("latin1")))).toString("latin1");
    if (!answer.includes("PONG")) throw new Error(answer.trim());
    const { status } = await fetch(`http://127.0.0.1:${monitorPort}/healthz`, { signal: AbortSignal.timeout(healthMsMax) });
    if (status !== 200) throw new Error(`/healthz answered ${status}`);
    return /"version":"([^"]+)"/.exec(info.toString("latin1"))?.[1] ?? "unknown";
  } finally {
    line.close();
  }
}

const healthMsMax = 3_000;
