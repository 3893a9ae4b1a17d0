/** A socket that a probe asks one or two questions over: bytes in, bytes out, a deadline on everything. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { within } from "./wait.ts";

export interface Line {
  write(bytes: string | Uint8Array): void;
  /** Resolves with all that has come since the last call, once `isEnough` says so. */
  read(isEnough: (bytes: Buffer) => boolean): Promise<Buffer>;
  /** Speaks TLS from here on; the certificate is not checked, the broker is our own. */
  secure(tls: LineTls): Promise<Line>;
  close(): void;
}

export interface LineTls {
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** Of each question of a probe: a broker that is alive answers in much less. */
const answerMsMax = 3_000;

/** A TCP connection to 127.0.0.1. Rejects where nothing listens. */
export async function openLine(port: number, tls?: LineTls): Promise<Line> {
  const socket = connectTcp({ port, host: "127.0.0.1" });
  const plain = lineOver(socket);
  await connected(socket, "connect");
  return tls === undefined ? plain : plain.secure(tls);
}

function lineOver(socket: Socket): Line {
  let received = Buffer.alloc(0);
  let ended: Error | undefined;
  let look = (): void => undefined;
  const take = (bytes: Buffer): void => {
    received = Buffer.concat([received, bytes]);
    look();
  };
  socket.on("data", take);
  socket.on("error", (error) => {
    ended = error;
    look();
  });
  socket.on("close", () => {
    ended ??= new Error("the broker closed the connection");
    look();
  });
  return {
    write: (bytes) => void socket.write(bytes),
    read: (isEnough) => {
      const answer = new Promise<Buffer>((resolve, reject) => {
        look = () => {
          if (isEnough(received)) {
            resolve(received);
            received = Buffer.alloc(0);
          } else if (ended !== undefined) reject(ended);
        };
        look();
      });
      return within(answerMsMax, answer, "no answer");
    },
    async secure({ clientCertificate, clientKey }) {
      socket.off("data", take);
      const secured = connectTls({ socket, cert: clientCertificate, key: clientKey, rejectUnauthorized: false });
      const line = lineOver(secured);
      await connected(secured, "secureConnect");
      return line;
    },
    close: () => void socket.destroy(),
  };
}

async function connected(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the broker closed the connection")));
  });
  try {
    await within(answerMsMax, done, "no connection");
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
