/** Opens a connection, says hello and waits for the welcome. What goes wrong is told apart here: not there, not let in, no valid certificate. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as TlsConnectionOptions } from "node:tls";
import type { Host, Session } from "@halyard/core/spi";
import { HalyardError, isHalyardError } from "@halyard/core/spi";
import { ByteReader } from "../protocol/byte-reader.ts";
import { ChunkPool } from "../protocol/frame-writer.ts";
import { fromServer, helloBytesMax } from "../protocol/frames.ts";
import { readWelcome, writeHello } from "../protocol/greeting.ts";
import { Link } from "../protocol/link.ts";
import { violation } from "../protocol/violation.ts";
import { fromWireError } from "../protocol/wire-error.ts";
import { ClientSession } from "./session.ts";

/** The server has been let in by then, as we have by it; its frames are as long as what it holds. */
const frameBytesMaxOfServer = 1024 * 1024 * 1024;

/** Where a server is. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

export interface ConnectOptions {
  readonly place: Place;
  readonly token: string | undefined;
  readonly tls: TlsConnectionOptions | undefined;
  readonly heartbeatMs: number;
  readonly requestTimeoutMs: number;
}

/**
 * Rejects with `AUTH_FAILED`, `TLS_FAILED`, `PROTOCOL_ERROR` or what else the server says, with `CONNECT_FAILED` where there is no server or it
 * left before the welcome, and with `ABORTED` when `signal` aborts. `details.errno` names the error of the operating system.
 */
export function connectSession(options: ConnectOptions, host: Host, signal: AbortSignal): Promise<Session> {
  return new Promise((resolve, reject) => {
    const where = placeName(options.place);
    const socket = open(options);
    let session: ClientSession | undefined;
    const onAbort = (): void => link.destroy(new HalyardError("ABORTED", `Connecting to the embedded server at ${where} was aborted.`));
    const link = new Link({
      socket,
      clock: host.clock,
      pool: new ChunkPool(),
      frameBytesMax: helloBytesMax,
      onFrame(type, bytes, start, end) {
        if (session !== undefined) return session.onFrame(type, bytes, start, end);
        if (type === fromServer.fatal) throw fromWireError(new ByteReader(bytes, start, end).json());
        if (type !== fromServer.welcome) throw violation("a first frame of the server that is no welcome");
        const welcome = readWelcome(bytes, start, end);
        signal.removeEventListener("abort", onAbort);
        link.reader.frameBytesMax = frameBytesMaxOfServer;
        link.startHeartbeat(options.heartbeatMs);
        session = new ClientSession({ link, welcome, host, requestTimeoutMs: options.requestTimeoutMs });
        resolve(session);
        return true;
      },
      onEnd(error) {
        if (session !== undefined) return session.onEnd(error);
        signal.removeEventListener("abort", onAbort);
        reject(connectError(error, where));
      },
    });
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
      const { namespace, clientName } = host;
      writeHello(link.writer, { token: options.token ?? "", namespace, clientName, heartbeatMs: options.heartbeatMs });
    });
  });
}

function open({ place, tls }: ConnectOptions): Socket {
  if (tls === undefined) return connectTcp({ ...place });
  return connectTls({ ...tls, ...place, rejectUnauthorized: true, ...("host" in place && tls.servername === undefined ? serverName(place.host) : {}) });
}

/** An address is no name that a server could be asked for by; the certificate is checked against it all the same. */
function serverName(host: string): { readonly servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

export function placeName(place: Place): string {
  return "path" in place ? place.path : `${place.host}:${place.port}`;
}

/** Codes of Node and OpenSSL that mean a certificate was not accepted, by us or by the server. */
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|CRL_)/;

function connectError(error: Error | undefined, where: string): HalyardError {
  if (isHalyardError(error)) return error;
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  const details = errno === undefined ? {} : { details: { errno } };
  if (errno !== undefined && tlsCodes.test(errno)) {
    const text = `The TLS connection to the embedded server at ${where} was not accepted (${error?.message.trim()}): check ca, cert and key on both sides.`;
    return new HalyardError("TLS_FAILED", text, { cause: error, ...details });
  }
  const reason = error === undefined ? "it ended the connection before the welcome" : error.message;
  return new HalyardError("CONNECT_FAILED", `The embedded server at ${where} cannot be reached: ${reason}.`, { cause: error, ...details });
}
